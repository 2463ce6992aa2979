import type { Phase } from '../state/history.js'

/** Measures how long each phase took. */
export class PhaseTimer {
  readonly #now: () => number
  readonly #milliseconds: Partial<Record<Phase, number>> = {}

  /** @param now milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now
  }

  async time<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    const started = this.#now()
    try {
      return await work()
    } finally {
      this.add(phase, this.#now() - started)
    }
  }

  add(phase: Phase, milliseconds: number): void {
    this.#milliseconds[phase] = (this.#milliseconds[phase] ?? 0) + milliseconds
  }

  /** Seconds by phase, to the millisecond. */
  seconds(): Partial<Record<Phase, number>> {
    const entries = Object.entries(this.#milliseconds).map(([phase, milliseconds]) => [phase, Math.round(milliseconds) / 1000])
    return Object.fromEntries(entries) as Partial<Record<Phase, number>>
  }
}
