import type { BuildMachine, Connection, Probe } from '../plugin-api/index.js'
import type { HealthFacts } from '../scheduling/health.js'
import { hostFacts } from './host-facts.js'
import type { ListMachines } from './list-machines.js'
import { withMachineDeadline, withoutRepetitions } from './machine-deadline.js'
import { problemOf } from './problem.js'
import type { OffloadPorts } from './ports.js'
import type { LinkMemory } from '../state/link-memory.js'
import type { Rung } from '../state/rung-memory.js'
import type { MachineCondition, MachineSelection, MachineStatus, StatusReport } from './reports.js'

/**
 * Asks each machine how it is, all machines at once.
 * @throws OffloadFailure of kind configuration, when the machines cannot be listed at all
 */
export interface StatusOfMachines {
  run(selection: MachineSelection, signal: AbortSignal): Promise<StatusReport>
}

export interface StatusPorts {
  connect(machine: BuildMachine, signal: AbortSignal): Promise<Connection>
  probe(connection: Connection, signal: AbortSignal): Promise<Probe>
  openRemoteStore: OffloadPorts['openRemoteStore']
  /** Why a connection is compressed or not. */
  readonly links: Pick<LinkMemory, 'compressionFor'>
  /** Slots of this host's own bookkeeping. */
  countSlots(machine: BuildMachine): { readonly free: number; readonly taken: readonly unknown[] }
  healthOf(machine: BuildMachine): HealthFacts
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly machineMilliseconds: number
}

export function statusOfMachines(list: ListMachines, ports: StatusPorts): StatusOfMachines {
  return {
    async run(selection, signal) {
      const { machines, warnings, failures, found } = await list.run(selection, signal)
      return { warnings, failures, found, machines: await Promise.all(withoutRepetitions(machines).map((machine) => statusOf(machine, ports, signal))) }
    },
  }
}

async function statusOf(machine: BuildMachine, ports: StatusPorts, outer: AbortSignal): Promise<MachineStatus> {
  let slots = { freeSlots: machine.parallelBuilds, takenSlots: 0 }
  let connection: Connection | undefined
  const health = ports.healthOf(machine)
  try {
    const { free, taken } = ports.countSlots(machine)
    slots = { freeSlots: free, takenSlots: taken.length }
    const condition = await withMachineDeadline(machine, 'asking for its status', ports.machineMilliseconds, outer, async (signal) => {
      connection = await ports.connect(machine, signal)
      return conditionOf(machine, connection, ports, signal)
    })
    return { machine, health, ...slots, condition }
  } catch (error) {
    if (outer.aborted) throw error
    return { machine, health, ...slots, problem: problemOf(error) }
  } finally {
    await connection?.close()
  }
}

async function conditionOf(machine: BuildMachine, connection: Connection, ports: StatusPorts, signal: AbortSignal): Promise<MachineCondition> {
  const [{ kernel, architecture, hostName, timeDifferenceSeconds }, probe, rung, { reason: compressionReason }] = await Promise.all([
    hostFacts(connection, ports.now, signal),
    ports.probe(connection, signal),
    rungTo(connection, ports, signal),
    ports.links.compressionFor(machine),
  ])
  return {
    kernel,
    architecture,
    hostName,
    timeDifferenceSeconds,
    normalizedLoad: probe.normalizedLoad,
    freeBytes: probe.freeBytes,
    transport: connection.details,
    roundTripMs: connection.roundTripMs,
    compressionReason,
    rung,
  }
}

/** A daemon that cannot be reached does not make the machine's other facts worthless; `test` says what is wrong with it. */
async function rungTo(connection: Connection, ports: StatusPorts, signal: AbortSignal): Promise<Rung | undefined> {
  try {
    const store = await ports.openRemoteStore(connection, connection.machine, signal)
    await store.close()
    return store.rung
  } catch (error) {
    if (signal.aborted) throw error
    return undefined
  }
}
