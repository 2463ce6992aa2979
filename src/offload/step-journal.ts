import { OffloadError } from '../errors/offload-error.js'
import type { Connection } from '../plugin-api/index.js'
import { problemOf } from './problem.js'
import { type TestStep, type TestStepName, testSteps } from './reports.js'

/** What a step came to. */
export interface StepResult<T> {
  readonly value: T
  readonly detail: string
}

/** Where connecting failed and what had been seen to work by then. */
interface ConnectFailure {
  readonly step: TestStepName
  readonly passed: readonly TestStepName[]
}

const atReach: ConnectFailure = { step: 'reach', passed: [] }
const atLogin: ConnectFailure = { step: 'login', passed: ['reach', 'host-key'] }
/** Found out without asking the machine, or while it was being asked: nothing is known of the steps before. */
const ownKey: ConnectFailure = { step: 'login', passed: [] }

/** Connecting is one call for us and three steps for the reader: the error says how far it came. What is not here failed to reach the machine. */
const connectFailures: Readonly<Record<string, ConnectFailure>> = {
  'host-key-invalid': { step: 'host-key', passed: [] },
  'host-key-mismatch': { step: 'host-key', passed: ['reach'] },
  'private-key-unreadable': ownKey,
  'private-key-encrypted': ownKey,
  'private-key-invalid': ownKey,
  'private-key-missing': ownKey,
  'authentication-refused': atLogin,
}

/** Takes down what happened to each step of the test of one machine. */
export class StepJournal {
  readonly #now: () => number
  readonly #done = new Map<TestStepName, TestStep>()
  #running: TestStepName = 'reach'
  #started: number

  /** @param now milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now
    this.#started = now()
  }

  async connecting(connect: () => Promise<Connection>): Promise<Connection> {
    const connection = await connect()
    const { machine, details, roundTripMs } = connection
    this.#put({ step: 'reach', outcome: 'ok', detail: `round trip ${roundTripMs.toFixed(1)} ms`, ms: this.#elapsed() })
    this.#put({ step: 'host-key', outcome: 'ok', detail: details.hostKey ?? machine.hostKey.trim().split(/\s+/)[0] })
    this.#put({ step: 'login', outcome: 'ok', detail: machine.user })
    return connection
  }

  async step<T>(step: TestStepName, work: () => Promise<StepResult<T>>): Promise<T> {
    this.#running = step
    this.#started = this.#now()
    const { value, detail } = await work()
    this.#put({ step, outcome: 'ok', detail, ms: this.#elapsed() })
    return value
  }

  /** The step under way has failed; no other is begun after it. */
  fail(error: unknown): void {
    const { step, passed } = this.#running === 'reach' ? connectFailure(error) : { step: this.#running, passed: [] }
    for (const name of passed) this.#put({ step: name, outcome: 'ok' })
    this.#put({ step, outcome: 'failed', ms: this.#elapsed(), problem: problemOf(error) })
  }

  /** All of them, in their order; what was not come to is skipped. */
  steps(): TestStep[] {
    return testSteps.map((step) => this.#done.get(step) ?? { step, outcome: 'skipped' })
  }

  #put(step: TestStep): void {
    this.#done.set(step.step, step)
  }

  #elapsed(): number {
    return Math.round(this.#now() - this.#started)
  }
}

function connectFailure(error: unknown): ConnectFailure {
  if (!(error instanceof OffloadError)) return atReach
  // A connection may also be lost, or time out, that late.
  return connectFailures[error.code] ?? (error.report.step === 'authenticating' ? atLogin : atReach)
}
