/**
 * Runs out when nothing has happened for a while. Only waiting for the other side counts: while we are busy with what it sent, or with what it is to get, nothing is being
 * waited for.
 */
export class Patience {
  readonly #limitMs: number | undefined
  readonly #onEnd: (limitMs: number) => void
  #timer: NodeJS.Timeout | undefined
  #busy = 0

  /** @param limitMs undefined: it never runs out */
  constructor(limitMs: number | undefined, onEnd: (limitMs: number) => void) {
    this.#limitMs = limitMs
    this.#onEnd = onEnd
    this.renew()
  }

  /** Something has happened. */
  renew(): void {
    this.suspend()
    const limitMs = this.#limitMs
    if (limitMs !== undefined && this.#busy === 0) this.#timer = setTimeout(() => this.#onEnd(limitMs), limitMs)
  }

  /** Whatever is waited for may take its time, until something happens. */
  suspend(): void {
    clearTimeout(this.#timer)
  }

  /** Waits for something of our own. */
  async while<T>(work: T | Promise<T>): Promise<T> {
    this.#busy += 1
    this.suspend()
    try {
      return await work
    } finally {
      this.#busy -= 1
      this.renew()
    }
  }

  /** For good. */
  end(): void {
    this.#busy += 1
    this.suspend()
  }
}
