import type { BuildMachine } from '../plugin-api/index.js'

/** `NAME:PORT`: what tells machines apart, and the name of a machine's folder of state. */
export function machineId(machine: Pick<BuildMachine, 'name' | 'port'>): string {
  return `${machine.name}:${machine.port}`
}

/**
 * Names become parts of file names and of command lines, and some sources hear them from the network: no slash, no white space or control
 * character, nothing that looks like an option.
 */
export function isSafeMachineName(name: string): boolean {
  return !/^-|^$|[\s/\u0000-\u001f\u007f]/.test(name)
}
