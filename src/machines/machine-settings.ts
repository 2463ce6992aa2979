import type { BuildMachine, MachineSettings } from '../plugin-api/index.js'

/** What the configuration file says about the machine of a name. */
export type SettingsByName = (name: string) => MachineSettings

/** The configuration wins, field by field, over what the source itself has set. */
export function withSettings(machine: BuildMachine, byName: SettingsByName): BuildMachine {
  const settings = byName(machine.name)
  return Object.keys(settings).length === 0 ? machine : { ...machine, settings: { ...machine.settings, ...settings } }
}
