import type { Clock } from '../../../src/scheduling/clock.js'

/** A clock that stands until told; timers fire in order, and what they set off runs before the next one does. */
export class FakeClock implements Clock {
  #now = 1_000_000
  #timers = new Set<{ readonly at: number; readonly action: () => void }>()

  get pending(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#now
  }

  after(ms: number, action: () => void): () => void {
    const timer = { at: this.#now + ms, action }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  delay(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        cancel()
        reject(signal?.reason as Error)
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      if (signal?.aborted === true) onAbort()
      else signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settled()
    for (let timer = this.#next(); timer !== undefined && timer.at <= end; timer = this.#next()) {
      this.#now = Math.max(this.#now, timer.at)
      this.#timers.delete(timer)
      timer.action()
      await settled()
    }
    this.#now = end
  }

  /** Advances until `work` has settled; what never would is reported as a hang. */
  async drive<T>(work: Promise<T>): Promise<T> {
    let done = false
    const finish = () => {
      done = true
    }
    work.then(finish, finish)
    await settled()
    while (!done) {
      const timer = this.#next()
      if (timer === undefined) throw new Error('nothing is going on, and still it is not done')
      await this.advance(timer.at - this.#now)
    }
    return work
  }

  #next(): { readonly at: number; readonly action: () => void } | undefined {
    return [...this.#timers].sort((a, b) => a.at - b.at)[0]
  }
}

/** Everything that waits for nothing but promises and stream events has run. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await new Promise((resolve) => setImmediate(resolve))
}
