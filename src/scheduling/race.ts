import type { Clock } from './clock.js'

/** One way to reach the goal. */
export interface Entrant<T> {
  /** Fulfilled with undefined if this way is barred; rejected only when nothing at all should be tried any more. */
  run(signal: AbortSignal): Promise<T | undefined>
  /** False: it is not expected to arrive, so the next one starts along with it. */
  readonly headStart?: boolean
  /** Gives back what `run` came up with too late or in vain. Must not throw. */
  discard(value: T): void
}

export interface RaceOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Milliseconds an entrant has for itself before the next one starts too; one that fails lets the next start at once. */
  readonly headStartMs: number
  /** Milliseconds a better entrant that is still running gets once a worse one has arrived. */
  readonly graceMs: number
  /** At a time. */
  readonly maxRunning: number
  /** Milliseconds after which the race is over, whoever is still running. */
  readonly deadlineMs?: number | undefined
}

export interface Won<T> {
  readonly index: number
  readonly value: T
}

/**
 * Tries entrants in order of preference with head starts: in the usual case the first arrives before the second is even started. Fulfilled with
 * the best one that has arrived, or undefined when every one has failed or the deadline has passed. By then all others are aborted, and what they brought or
 * will still bring is discarded; nothing is awaited for that. Rejected when the signal is aborted.
 */
export function raceInOrder<T>(entrants: readonly Entrant<T>[], options: RaceOptions): Promise<Won<T> | undefined> {
  return new Promise((resolve, reject) => new Race(entrants, options, resolve, reject).start())
}

class Race<T> {
  readonly #running = new Map<number, AbortController>()
  readonly #arrived = new Map<number, T>()
  #next = 0
  #over = false
  #cancelHeadStart = () => {}
  #cancelDeadline = () => {}
  #cancelGrace: (() => void) | undefined

  constructor(
    readonly entrants: readonly Entrant<T>[],
    readonly options: RaceOptions,
    readonly resolve: (won: Won<T> | undefined) => void,
    readonly reject: (reason: unknown) => void,
  ) {}

  start(): void {
    const { signal } = this.options
    if (signal.aborted) return this.reject(signal.reason)
    signal.addEventListener('abort', this.#onAbort, { once: true })
    const { clock, deadlineMs } = this.options
    if (deadlineMs !== undefined) this.#cancelDeadline = clock.after(deadlineMs, () => this.#finish(Math.min(...this.#arrived.keys())))
    this.#advance()
  }

  readonly #onAbort = () => this.#fail(this.options.signal.reason)

  /** Starts the next entrant if it is time to, or ends the race if there is nothing left to wait for. */
  #advance(): void {
    if (this.#over) return
    const best = Math.min(...this.#arrived.keys())
    if (best !== Infinity) {
      const betterRunning = [...this.#running.keys()].some((index) => index < best)
      if (!betterRunning) return this.#finish(best)
      this.#cancelHeadStart()
      this.#cancelGrace ??= this.options.clock.after(this.options.graceMs, () => this.#finish(Math.min(...this.#arrived.keys())))
      return
    }
    if (this.#next === this.entrants.length) {
      if (this.#running.size === 0) this.#finish(Infinity)
      return
    }
    if (this.#running.size >= this.options.maxRunning) return
    this.#launch()
  }

  #launch(): void {
    const index = this.#next
    const entrant = this.entrants[index]
    if (entrant === undefined) return
    this.#next += 1
    const controller = new AbortController()
    this.#running.set(index, controller)
    this.#cancelHeadStart()
    if (this.#next < this.entrants.length) {
      this.#cancelHeadStart = this.options.clock.after(this.options.headStartMs, () => this.#advance())
    }
    entrant.run(controller.signal).then(
      (value) => {
        if (this.#over) {
          if (value !== undefined) entrant.discard(value)
          return
        }
        this.#running.delete(index)
        if (value !== undefined) this.#arrived.set(index, value)
        this.#advance()
      },
      (error: unknown) => this.#fail(error),
    )
    if (entrant.headStart === false) this.#advance()
  }

  /** @param index of one that has arrived; of none: nobody wins */
  #finish(index: number): void {
    const value = this.#arrived.get(index)
    this.#arrived.delete(index)
    this.#end()
    this.resolve(value === undefined ? undefined : { index, value })
  }

  #fail(reason: unknown): void {
    if (this.#over) return
    this.#end()
    this.reject(reason)
  }

  #end(): void {
    this.#over = true
    this.#cancelHeadStart()
    this.#cancelGrace?.()
    this.#cancelDeadline()
    this.options.signal.removeEventListener('abort', this.#onAbort)
    for (const controller of this.#running.values()) controller.abort(new DOMException('another machine was chosen', 'AbortError'))
    for (const [index, value] of this.#arrived) this.entrants[index]?.discard(value)
  }
}
