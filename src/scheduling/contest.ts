import { MachineError } from '../errors/offload-error.js'
import { machineId } from '../machines/machine-id.js'
import type { BuildMachine, Candidate, Connection, Probe } from '../plugin-api/index.js'
import type { LastProbe } from '../state/health-files.js'
import type { Clock } from './clock.js'
import type { Enquiry } from './enquiry.js'
import type { Health } from './health.js'
import { probe } from './probe.js'
import type { Entrant } from './race.js'
import type { Slot } from './slots.js'
import type { VerdictBoard } from './verdict-board.js'
import { failureVerdict, objection } from './verdict.js'

export interface ContestPorts {
  /** @throws OffloadFailure. A connection that comes although `signal` is aborted is closed. */
  readonly connect: (machine: BuildMachine, signal: AbortSignal) => Promise<Connection>
  readonly clock: Clock
  readonly health: Pick<Health, 'outlook' | 'begin' | 'leave' | 'probed' | 'failed' | 'passed' | 'doubted' | 'hesitated' | 'answeredPromptly'>
}

/** Times in milliseconds. */
export interface ContestPolicy {
  readonly storeDirectory: string
  /** Less free space on a machine and nothing is sent there. */
  readonly minimumFreeBytes: number
  readonly probeMs: number
  /** What has not answered by then loses its lead. */
  readonly headStartMs: number
  /** How long a decision waits for machines that are tried again, if there are no others. */
  readonly trialMs: number
  /** Before they are ranked, at a time. */
  readonly maxAsked: number
  /** How much longer than the first one the others are waited for then, at the most. */
  readonly patienceMs: number
}

/** A machine that may be asked, and what is known of it. */
export interface Contender {
  readonly candidate: Candidate
  readonly slot: Slot
  /** Slots that were taken before we took one. */
  readonly taken: number
  /** Fresh enough to do without asking again. */
  readonly last: LastProbe | undefined
  /** It was set aside, and is to be tried again. */
  readonly onTrial: boolean
  /** Not expected to answer soon. */
  readonly slow: boolean
}

export interface Passed {
  readonly connection: Connection
  readonly probe: Probe
}

/** How many times longer than the quickest one a machine may take before that is held against it. */
const lateFactor = 3

/** How the machines of one selection are asked, for real: connect, look at load and disk. What comes of it is put on the board and remembered for others. */
export class Contest {
  /** Those that are being asked, and since when. */
  readonly #asked = new Map<BuildMachine, number>()
  /** Of those that were asked before they were ranked. */
  #enquiry: Enquiry<Passed> | undefined
  /** The quickest connection so far: where our own processors are busy, none is made in time. */
  #quickestMs = Infinity

  /** @param signal the selection's */
  constructor(
    readonly ports: ContestPorts,
    readonly policy: ContestPolicy,
    readonly board: VerdictBoard,
    readonly signal: AbortSignal,
  ) {}

  entrant(contender: Contender): Entrant<Passed> {
    return contender.onTrial ? this.#trial(contender) : this.#regular(contender)
  }

  /**
   * Asks machines side by side before they are ranked. Those that are fit keep their connection until {@link Contest.end}.
   * @returns them and those of which nothing is known yet, in the order given
   */
  async enquire(contenders: readonly Contender[], deadlineMs: number | undefined): Promise<Contender[]> {
    const { Enquiry } = await import('./enquiry.js')
    const { headStartMs: promptMs, patienceMs, maxAsked: maxRunning } = this.policy
    const discard = ({ connection }: Passed) => closeQuietly(connection)
    const enquiry = new Enquiry<Passed>({ clock: this.ports.clock, signal: this.signal, promptMs, patienceMs, maxRunning, deadlineMs, discard })
    this.#enquiry = enquiry
    const worthAsking = contenders.filter(({ onTrial, last }) => !onTrial && last === undefined)
    await enquiry.gather(worthAsking.map((contender) => ({ machine: contender.candidate.machine, slow: contender.slow, ask: (signal) => this.#attempt(contender, signal) })))
    return contenders.flatMap((contender) => {
      const reply = enquiry.reply(contender.candidate.machine)
      if (reply?.kind === 'barred') return []
      if (reply?.kind !== 'there') return [contender]
      const { probe, connection: { roundTripMs } } = reply.value
      return [{ ...contender, candidate: { ...contender.candidate, probe, roundTripMs } }]
    })
  }

  /** Ends what was begun for nothing. */
  end(): void {
    this.#enquiry?.end()
  }

  /** What has not answered by the deadline is as good as dead, unless it was asked late. */
  giveUp(deadlineMs: number): void {
    const { clock, health } = this.ports
    for (const [machine, began] of this.#asked) {
      const ms = clock.now() - began
      const error = new MachineError({
        code: 'connect-timeout',
        step: 'connecting',
        problem: `not ready to build within ${seconds(ms)}`,
        cure: 'Is the machine up, and is it not overloaded?',
        machine: machineId(machine),
      })
      this.board.put(failureVerdict(machine, 'connect', error))
      if (ms >= deadlineMs / 2) health.failed(machine, 'reach', error, began)
    }
    this.board.fill((machine) => ({ machine, code: 'unreachable', reason: `not asked: no other machine answered within ${seconds(deadlineMs)}` }))
  }

  #regular(contender: Contender): Entrant<Passed> {
    return {
      headStart: !contender.slow,
      discard: ({ connection }) => closeQuietly(connection),
      run: (signal) => this.#enquiry?.join(contender.candidate.machine, signal) ?? this.#attempt(contender, signal),
    }
  }

  async #attempt(contender: Contender, signal: AbortSignal): Promise<Passed | undefined> {
    const { clock, health } = this.ports
    const { candidate: { machine }, slot } = contender
    const began = clock.now()
    this.#asked.set(machine, began)
    const passed = await this.#ask(contender, signal, () => {
      const ms = clock.now() - began
      if (signal.aborted && !this.signal.aborted && ms >= this.policy.headStartMs && ms >= lateFactor * this.#quickestMs) health.hesitated(machine)
    })
    if (passed === undefined) slot.release()
    if (!signal.aborted) this.#asked.delete(machine)
    return passed
  }

  /**
   * A machine that was set aside is tried again in passing: nobody waits for it for long, and the trial goes on to its end after the decision, so that the next one knows.
   */
  #trial(contender: Contender): Entrant<Passed> {
    const { clock, health } = this.ports
    const { candidate: { machine }, slot } = contender
    const giveUp = ({ connection }: Passed) => {
      health.leave(machine)
      closeQuietly(connection)
    }
    const rest = (why: string) => {
      slot.release()
      this.board.put({ machine, code: 'resting', reason: `${health.outlook(machine).reason ?? 'set aside'}; ${why}` })
    }
    return {
      headStart: false,
      discard: giveUp,
      run: (signal) => new Promise((resolve) => {
        const outcome = health.begin(machine)
        if (outcome !== 'begun') {
          rest(outcome === 'taken' ? 'another process is trying it again' : 'another process has just tried it again')
          return resolve(undefined)
        }
        let waiting = true
        const cancel = clock.after(this.policy.trialMs, () => {
          waiting = false
          health.doubted(machine, this.policy.trialMs)
          rest('it is being tried again')
          resolve(undefined)
        })
        signal.addEventListener('abort', cancel, { once: true })
        void this.#ask(contender, this.signal, () => undefined).then((passed) => {
          cancel()
          signal.removeEventListener('abort', cancel)
          if (passed === undefined) {
            health.leave(machine)
            slot.release()
          }
          if (waiting) resolve(passed)
          else if (passed !== undefined) giveUp(passed)
        })
      }),
    }
  }

  /** Never rejected. @param notConnected is told if that is where it ended; the signal may say why */
  async #ask({ candidate: { machine }, taken, last }: Contender, signal: AbortSignal, notConnected: () => void): Promise<Passed | undefined> {
    const { clock, health } = this.ports
    const began = clock.now()
    const failed = (phase: 'connect' | 'probe', error: unknown) => {
      // What fails because it was called off says nothing about the machine.
      if (signal.aborted) return
      this.board.put(failureVerdict(machine, phase, error))
      health.failed(machine, 'reach', error, began)
    }
    let connection: Connection
    try {
      connection = await this.ports.connect(machine, signal)
    } catch (error) {
      failed('connect', error)
      notConnected()
      return undefined
    }
    const ms = clock.now() - began
    this.#quickestMs = Math.min(this.#quickestMs, ms)
    if (ms < this.policy.headStartMs) health.answeredPromptly(machine)
    try {
      // That it answers is seen from the connection; what else there is to know, another build has asked a moment ago.
      const seen = last?.probe ?? await probe(connection, { ...this.policy, clock, signal })
      if (last === undefined) health.probed(machine, { probe: seen, taken })
      health.passed(machine, 'reached')
      const verdict = objection(machine, seen, this.policy.minimumFreeBytes)
      if (verdict === undefined) return { connection, probe: seen }
      if (!signal.aborted) this.board.put(verdict)
    } catch (error) {
      failed('probe', error)
    }
    closeQuietly(connection)
    return undefined
  }
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

/** Nobody waits for it, and nothing depends on how a connection that is of no use any more ends. */
function closeQuietly(connection: Connection): void {
  connection.close().catch(() => {})
}
