import type { MachineSettings } from '../plugin-api/index.js'

/**
 * Looks up settings by machine name. Keys are names or globs (picomatch: `*`, `?`, `[a-c]`, `{a,b}`); every pattern that matches counts, in the
 * file's order, then the exact name; what comes later wins, key by key. Host names have no case.
 */
export async function settingsByName(entries: readonly (readonly [pattern: string, settings: MachineSettings])[]): Promise<(name: string) => MachineSettings> {
  const lower = entries.map(([pattern, settings]) => [pattern.toLowerCase(), settings] as const)
  const globs = lower.filter(([pattern]) => isGlob(pattern))
  const exact = new Map(lower.filter(([pattern]) => !isGlob(pattern)))
  const matchers = await Promise.all(globs.map(async ([pattern, settings]) => ({ settings, matches: await nameMatcher(pattern) })))
  return (name) => {
    const wanted = name.toLowerCase()
    const found = matchers.filter(({ matches }) => matches(wanted)).map(({ settings }) => settings)
    return Object.assign({}, ...found, exact.get(wanted)) as MachineSettings
  }
}

/** Whether a key of `machines` is about the machine of that name. */
export async function nameMatcher(pattern: string): Promise<(name: string) => boolean> {
  const wanted = pattern.toLowerCase()
  if (!isGlob(wanted)) return (name) => name.toLowerCase() === wanted
  const matches = (await import('picomatch')).default(wanted, { dot: true, nonegate: true })
  return (name) => matches(name.toLowerCase())
}

function isGlob(pattern: string): boolean {
  return /[*?{}[\]()!]/.test(pattern)
}
