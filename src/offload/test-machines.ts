import { OffloadError } from '../errors/offload-error.js'
import type { BuildMachine, Connection } from '../plugin-api/index.js'
import type { ListMachines } from './list-machines.js'
import { withMachineDeadline, withoutRepetitions } from './machine-deadline.js'
import { problemOf } from './problem.js'
import { type MachineSelection, type MachineTest, type TestReport, type TestStep, type TestStepName, testSteps } from './reports.js'
import { guixVersion, tryExport, tryImport } from './trials.js'
import type { OffloadPorts } from './ports.js'

/**
 * Finds out whether each machine can be offloaded to, all machines at once. A machine that fails costs the others nothing.
 * @throws OffloadFailure of kind configuration, when the machines cannot be listed at all
 */
export interface TestMachines {
  run(selection: MachineSelection, signal: AbortSignal): Promise<TestReport>
}

export interface TestPorts extends OffloadPorts {
  connect(machine: BuildMachine, signal: AbortSignal): Promise<Connection>
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

/** Connecting is one call for us and three steps for the reader: the error says how far it came. */
const connectSteps = ['reach', 'host-key', 'login'] as const
const stepOfConnectError: Readonly<Record<string, TestStepName>> = {
  'host-key-mismatch': 'host-key',
  'host-key-invalid': 'host-key',
  'private-key-unreadable': 'login',
  'private-key-encrypted': 'login',
  'private-key-invalid': 'login',
  'private-key-missing': 'login',
  'authentication-refused': 'login',
}

async function testOne(machine: BuildMachine, ports: TestPorts, outer: AbortSignal): Promise<MachineTest> {
  const journal = new StepJournal(ports.monotonic)
  let connection: Connection | undefined
  try {
    await withMachineDeadline(machine, 'testing', ports.machineMilliseconds, outer, async (signal) => {
      const connected = await journal.connecting(() => ports.connect(machine, signal))
      connection = connected
      await withStores(connected, machine, ports, signal, journal)
    })
  } catch (error) {
    if (outer.aborted) throw error
    journal.fail(error)
  } finally {
    await connection?.close()
  }
  return { machine, steps: journal.steps(), warnings: [] }
}

async function withStores(connection: Connection, machine: BuildMachine, ports: TestPorts, signal: AbortSignal, journal: StepJournal): Promise<void> {
  const remote = await journal.step('daemon', async () => ({ value: await ports.openRemoteStore(connection, machine, signal), detail: machine.daemonSocket }))
  try {
    await journal.step('guix-version', async () => ({ value: undefined, detail: await guixVersion(connection, signal) }))
    const local = await ports.openLocalStore(signal)
    try {
      await journal.step('import', async () => ({ value: undefined, detail: await tryImport(machine.name, remote, local, ports) }))
    } finally {
      local.close()
    }
    await journal.step('export', async () => ({ value: undefined, detail: await tryExport(machine.name, remote, ports) }))
  } finally {
    await remote.close()
  }
}

class StepJournal {
  readonly #now: () => number
  readonly #done: TestStep[] = []
  #running: TestStepName = 'reach'
  #started: number

  constructor(now: () => number) {
    this.#now = now
    this.#started = now()
  }

  async connecting(connect: () => Promise<Connection>): Promise<Connection> {
    const connection = await connect()
    const ms = Math.round(this.#now() - this.#started)
    this.#done.push({ step: 'reach', outcome: 'ok', detail: `round trip ${connection.roundTripMs.toFixed(1)} ms`, ms })
    this.#done.push({ step: 'host-key', outcome: 'ok', detail: connection.machine.hostKey.trim().split(/\s+/)[0] })
    this.#done.push({ step: 'login', outcome: 'ok', detail: connection.machine.user })
    return connection
  }

  async step<T>(step: TestStepName, work: () => Promise<{ readonly value: T; readonly detail: string }>): Promise<T> {
    this.#running = step
    this.#started = this.#now()
    const { value, detail } = await work()
    this.#done.push({ step, outcome: 'ok', detail, ms: Math.round(this.#now() - this.#started) })
    return value
  }

  fail(error: unknown): void {
    const ms = Math.round(this.#now() - this.#started)
    let failed = this.#running
    if (failed === 'reach' && error instanceof OffloadError) failed = stepOfConnectError[error.code] ?? 'reach'
    for (const step of connectSteps.slice(0, Math.max(0, connectSteps.indexOf(failed as 'reach')))) this.#done.push({ step, outcome: 'ok' })
    this.#done.push({ step: failed, outcome: 'failed', ms, problem: problemOf(error) })
  }

  /** All of them, in their order; what was not come to is skipped. */
  steps(): TestStep[] {
    return testSteps.map((step) => this.#done.find((done) => done.step === step) ?? { step, outcome: 'skipped' })
  }
}
