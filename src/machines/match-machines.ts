import type { BuildMachine, BuildRequest } from '../plugin-api/index.js'

export type Requirements = Pick<BuildRequest, 'system' | 'features'>

export interface Mismatch {
  readonly machine: BuildMachine
  /** For people, in the third person: `lacks feature kvm`. */
  readonly reasons: readonly string[]
}

export interface Matching {
  readonly suited: readonly BuildMachine[]
  readonly unsuited: readonly Mismatch[]
}

/** Why `machine` cannot do what is asked; empty if it can. */
export function mismatches(machine: BuildMachine, wanted: Requirements): string[] {
  const reasons: string[] = []
  if (machine.settings?.disabled === true) reasons.push('is disabled in the configuration')
  if (!machine.systems.includes(wanted.system)) {
    reasons.push(machine.systems.length === 0 ? 'builds for no system' : `builds for ${listed(machine.systems)} only`)
  }
  const missing = wanted.features.filter((feature) => !machine.features.includes(feature))
  if (missing.length > 0) reasons.push(`lacks feature${missing.length === 1 ? '' : 's'} ${listed(missing)}`)
  return reasons
}

/** A machine is suited if it builds for the system and has every feature asked for. */
export function matchMachines(machines: readonly BuildMachine[], wanted: Requirements): Matching {
  const judged = machines.map((machine) => ({ machine, reasons: mismatches(machine, wanted) }))
  return {
    suited: judged.filter(({ reasons }) => reasons.length === 0).map(({ machine }) => machine),
    unsuited: judged.filter(({ reasons }) => reasons.length > 0),
  }
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
