import { MachineError } from '../errors/offload-error.js'
import type { BuildMachine, Connection, Probe } from '../plugin-api/index.js'
import type { ListMachines } from './list-machines.js'
import { withMachineDeadline, withoutRepetitions } from './machine-deadline.js'
import { problemOf } from './problem.js'
import type { MachineCondition, MachineSelection, MachineStatus, StatusReport } from './reports.js'
import { runCommand } from './run-command.js'

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
  /** Slots of this host's own bookkeeping. */
  countSlots(machine: BuildMachine): { readonly free: number; readonly taken: readonly unknown[] }
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly machineMilliseconds: number
}

export function statusOfMachines(list: ListMachines, ports: StatusPorts): StatusOfMachines {
  return {
    async run(selection, signal) {
      const { machines, warnings, failures } = await list.run(selection, signal)
      return { warnings, failures, machines: await Promise.all(withoutRepetitions(machines).map((machine) => statusOf(machine, ports, signal))) }
    },
  }
}

async function statusOf(machine: BuildMachine, ports: StatusPorts, outer: AbortSignal): Promise<MachineStatus> {
  let slots = { freeSlots: machine.parallelBuilds, takenSlots: 0 }
  let connection: Connection | undefined
  try {
    const { free, taken } = ports.countSlots(machine)
    slots = { freeSlots: free, takenSlots: taken.length }
    const condition = await withMachineDeadline(machine, 'asking for its status', ports.machineMilliseconds, outer, async (signal) => {
      connection = await ports.connect(machine, signal)
      return conditionOf(connection, ports, signal)
    })
    return { machine, ...slots, condition }
  } catch (error) {
    if (outer.aborted) throw error
    return { machine, ...slots, problem: problemOf(error) }
  } finally {
    await connection?.close()
  }
}

async function conditionOf(connection: Connection, ports: StatusPorts, signal: AbortSignal): Promise<MachineCondition> {
  const asked = ports.now()
  const [identity, probe] = await Promise.all([
    runCommand(connection, ['/bin/sh', '-c', 'date +%s; uname -s; uname -r; uname -m; uname -n'], signal).then((result) => ({ ...result, answered: ports.now() })),
    ports.probe(connection, signal),
  ])
  const [seconds, system, release, architecture, hostName] = identity.stdout.trim().split('\n')
  if (hostName === undefined || !/^\d+$/.test(seconds ?? '')) {
    throw new MachineError({
      code: 'status-unreadable', machine: connection.machine.name, step: 'asking for kernel and clock', problem: 'unexpected answer',
      expected: 'the output of date and uname', seen: JSON.stringify((identity.stdout + identity.stderr).slice(0, 200)),
    })
  }
  // Their clock is read in whole seconds, some time between our question and the answer: only what both ends rule out is a difference.
  const theirs = Number(seconds)
  const earliest = Math.floor(asked / 1000)
  const latest = Math.floor(identity.answered / 1000)
  const timeDifferenceSeconds = theirs < earliest ? theirs - earliest : theirs > latest ? theirs - latest : 0
  return {
    kernel: `${system ?? ''} ${release ?? ''}`,
    architecture: architecture ?? '',
    hostName,
    normalizedLoad: probe.normalizedLoad,
    freeBytes: probe.freeBytes,
    timeDifferenceSeconds,
    transport: connection.details,
    roundTripMs: connection.roundTripMs,
  }
}
