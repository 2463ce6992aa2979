import type { BuildMachine } from '../plugin-api/index.js'

/** How errors name a machine. */
export function labelOf(machine: Pick<BuildMachine, 'name' | 'port'>): string {
  return machine.port === 22 ? machine.name : `${machine.name}:${machine.port}`
}
