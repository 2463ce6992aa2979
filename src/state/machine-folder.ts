import { join } from 'node:path'
import type { BuildMachine } from '../plugin-api/index.js'

/** `STATE/offload/NAME:PORT`: what is kept of one machine. The name has been checked where machines are listed. */
export function machineFolder(stateDirectory: string, { name, port }: Pick<BuildMachine, 'name' | 'port'>): string {
  return join(stateDirectory, 'offload', `${name}:${port}`)
}
