import type { BuildMachine, Connection } from '../plugin-api/index.js'
import { hostFacts, hostWarnings } from './host-facts.js'
import type { ListMachines } from './list-machines.js'
import { withMachineDeadline, withoutRepetitions } from './machine-deadline.js'
import type { OffloadPorts } from './ports.js'
import type { MachineSelection, MachineTest, TestReport } from './reports.js'
import { StepJournal } from './step-journal.js'
import type { Rung } from '../state/rung-memory.js'
import { guixVersion, tryExport, tryImport } from './trials.js'

/**
 * Finds out whether each machine can be offloaded to, all machines at once. A machine that fails costs the others nothing.
 * @throws OffloadFailure of kind configuration, when the machines cannot be listed at all
 */
export interface TestMachines {
  run(selection: MachineSelection, signal: AbortSignal): Promise<TestReport>
}

export interface TestPorts extends OffloadPorts {
  connect(machine: BuildMachine, signal: AbortSignal): Promise<Connection>
  /** The path that keeps the hook from taking a build slot, if any does. */
  slotObstacle(machine: BuildMachine): string | undefined
  /** It has shown that it can do all that an offload needs. */
  passed(machine: BuildMachine): void
  /** For all steps of one machine together. */
  readonly machineMilliseconds: number
}

export function testMachines(list: ListMachines, ports: TestPorts): TestMachines {
  return {
    async run(selection, signal) {
      const { machines, warnings, failures } = await list.run(selection, signal)
      return { warnings, failures, machines: await Promise.all(withoutRepetitions(machines).map((machine) => testOne(machine, ports, signal))) }
    },
  }
}

async function testOne(machine: BuildMachine, ports: TestPorts, outer: AbortSignal): Promise<MachineTest> {
  const journal = new StepJournal(ports.monotonic)
  let connection: Connection | undefined
  const obstacle = ports.slotObstacle(machine)
  const warnings = obstacle === undefined ? [] : [`no build slot can be taken: ${obstacle} is not writable for the user we run as`]
  try {
    await withMachineDeadline(machine, 'testing', ports.machineMilliseconds, outer, async (signal) => {
      connection = await journal.connecting(() => ports.connect(machine, signal))
      // Beside the steps, which take longer anyway.
      const asking = hostFacts(connection, ports.now, signal).then((host) => void warnings.push(...hostWarnings(machine, host)), () => undefined)
      const rung = await withStores(connection, machine, ports, signal, journal)
      // Where the transport knows no other way, there is nothing to mend.
      if (rung !== 'socket' && connection.openSocket !== undefined) warnings.push(detour(rung))
      await asking
      ports.passed(machine)
    })
  } catch (error) {
    if (outer.aborted) throw error
    journal.fail(error)
  } finally {
    await connection?.close()
  }
  return { machine, steps: journal.steps(), warnings }
}

function detour(rung: Rung): string {
  return `the SSH server forwards no socket to guix-daemon; it is reached by ${rung}, which is slower: set AllowStreamLocalForwarding yes in the sshd_config there`
}

async function withStores(connection: Connection, machine: BuildMachine, ports: TestPorts, signal: AbortSignal, journal: StepJournal): Promise<Rung> {
  const remote = await journal.step('daemon', async () => {
    const value = await ports.openRemoteStore(connection, machine, signal)
    return { value, detail: `${machine.daemonSocket} by ${value.rung}` }
  })
  try {
    await journal.step('guix-version', async () => ({ value: undefined, detail: await guixVersion(connection, signal) }))
    const imported = await journal.step('import', async () => {
      const local = await ports.openLocalStore(signal)
      try {
        const value = await tryImport(machine.name, remote, local, ports, signal)
        return { value, detail: value }
      } finally {
        local.close()
      }
    })
    await journal.step('export', async () => ({ value: undefined, detail: await tryExport(machine.name, remote, imported, ports) }))
    return remote.rung
  } finally {
    await remote.close()
  }
}
