/** What a strategy that asks for it is told of the inputs of a build: what each machine would have to be sent, over which link, for how long a build. */
import type { BuildMachine, Log } from '../plugin-api/index.js'

export interface InputPorts {
  /** Bytes of each direct input, by store path. */
  sizes(derivation: string, signal: AbortSignal): Promise<ReadonlyMap<string, number>>
  /** Which items the machine is believed to have. */
  believed(machine: BuildMachine): Promise<{ has(path: string): boolean }>
  bytesPerSecond(machine: BuildMachine): Promise<number | undefined>
  /** On a machine of speed 1. */
  expectedSeconds(derivation: string, machines: readonly BuildMachine[]): Promise<number | undefined>
  readonly log: Log
}

export interface InputFacts {
  readonly presentBytes?: number | undefined
  readonly missingBytes?: number | undefined
  readonly bytesPerSecond?: number | undefined
}

export interface Inputs {
  readonly expectedSeconds: number | undefined
  of(machine: BuildMachine): InputFacts
}

/** Nothing that goes wrong here keeps a build from being offloaded: the strategy is told less. Rejected when the signal is aborted. */
export async function gatherInputs(derivation: string, machines: readonly BuildMachine[], ports: InputPorts, signal: AbortSignal): Promise<Inputs> {
  const [sizes, expectedSeconds, ...known] = await Promise.all([
    ports.sizes(derivation, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      ports.log.debug(`the sizes of the inputs of ${derivation} are not known: ${String(error)}`)
      return undefined
    }),
    ports.expectedSeconds(derivation, machines),
    ...machines.map(async (machine) => ({ machine, items: await ports.believed(machine), bytesPerSecond: await ports.bytesPerSecond(machine) })),
  ])
  const facts = new Map<BuildMachine, InputFacts>()
  for (const { machine, items, bytesPerSecond } of known) {
    if (sizes === undefined) {
      facts.set(machine, { bytesPerSecond })
      continue
    }
    let [presentBytes, missingBytes] = [0, 0]
    for (const [path, bytes] of sizes) {
      if (items.has(path)) presentBytes += bytes
      else missingBytes += bytes
    }
    facts.set(machine, { presentBytes, missingBytes, bytesPerSecond })
  }
  return { expectedSeconds, of: (machine) => facts.get(machine) ?? {} }
}
