import type { BuildMachine } from '../plugin-api/index.js'
import { machineId } from './machine-id.js'

/** Of an OpenSSH public key, what does not depend on comments and blanks. */
const keyOf = (line: string): string => line.trim().split(/[ \t]+/)[1] ?? ''

/**
 * Which machine that is written down is the same as one that was found: by name and port, by host key, or by address. One that was found may go by another name
 * (`b1.local` for `b1`), and two entries would overfill it.
 */
export function heardAndWrittenDown(machines: readonly BuildMachine[]): (found: BuildMachine) => BuildMachine | undefined {
  const byTrait = new Map<string, BuildMachine>()
  for (const machine of machines) {
    if (machine.heardAt !== undefined) continue
    for (const trait of traits(machine)) if (!byTrait.has(trait)) byTrait.set(trait, machine)
  }
  return (found) => traits(found).map((trait) => byTrait.get(trait)).find((machine) => machine !== undefined)
}

function traits({ name, port, address, hostKey, settings }: BuildMachine): string[] {
  const keys = [hostKey, ...(settings?.hostKeys ?? [])].map(keyOf).filter((key) => key !== '')
  return [machineId({ name, port }), ...(address === undefined ? [] : [machineId({ name: address, port })]), ...keys]
}
