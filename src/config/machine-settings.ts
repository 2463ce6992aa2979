import type { MachineSettings } from '../plugin-api/index.js'

/**
 * Looks up settings by machine name. Keys are names or globs (picomatch: `*`, `?`, `[a-c]`, `{a,b}`); every pattern that matches counts, in the
 * file's order, then the exact name; what comes later wins, key by key. Host names have no case.
 */
export async function settingsByName(entries: readonly (readonly [pattern: string, settings: MachineSettings])[]): Promise<(name: string) => MachineSettings> {
  const lower = entries.map(([pattern, settings]) => [pattern.toLowerCase(), settings] as const)
  const globs = lower.filter(([pattern]) => isGlob(pattern))
  const exact = new Map(lower.filter(([pattern]) => !isGlob(pattern)))
  const picomatch = globs.length === 0 ? undefined : (await import('picomatch')).default
  const matchers = globs.map(([pattern, settings]) => ({ settings, matches: picomatch?.(pattern, { dot: true, nonegate: true }) ?? (() => false) }))
  return (name) => {
    const wanted = name.toLowerCase()
    const found = matchers.filter(({ matches }) => matches(wanted)).map(({ settings }) => settings)
    return Object.assign({}, ...found, exact.get(wanted)) as MachineSettings
  }
}

function isGlob(pattern: string): boolean {
  return /[*?{}[\]()!]/.test(pattern)
}
