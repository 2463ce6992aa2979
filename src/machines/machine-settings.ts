import type { BuildMachine, MachineSettings } from '../plugin-api/index.js'

/** Per-machine settings of the configuration file, by machine name or glob. */
export type SettingsByName = Readonly<Record<string, MachineSettings>>

const isGlob = (pattern: string) => /[*?]/.test(pattern)

/** `*` and `?` as in a shell; host names know no case. */
export function matchesGlob(name: string, pattern: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')
  return new RegExp(`^${source}$`, 'is').test(name)
}

/** The more specific wins field by field: globs in the order written, then the plain name, over what the source itself has set. */
export function withSettings(machine: BuildMachine, byName: SettingsByName): BuildMachine {
  const patterns = Object.keys(byName).filter((pattern) => matchesGlob(machine.name, pattern))
  if (patterns.length === 0) return machine
  const ordered = [...patterns.filter(isGlob), ...patterns.filter((pattern) => !isGlob(pattern))]
  const settings = ordered.reduce<MachineSettings>((merged, pattern) => ({ ...merged, ...withoutUndefined(byName[pattern]) }), { ...machine.settings })
  return { ...machine, settings }
}

function withoutUndefined(settings: MachineSettings | undefined): MachineSettings {
  return Object.fromEntries(Object.entries(settings ?? {}).filter(([, value]) => value !== undefined))
}
