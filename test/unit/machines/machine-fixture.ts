import type { BuildMachine } from '../../../src/plugin-api/index.js'
import { buildMachine } from '../../support/plugin-host.js'

/** A machine with everything at its usual value but what a test is about. */
export function machine(name: string, rest: Partial<BuildMachine> = {}): BuildMachine {
  return buildMachine({ name, hostKey: 'ssh-ed25519 AAAAC3Nza', ...rest })
}
