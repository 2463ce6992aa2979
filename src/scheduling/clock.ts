/** Time, as far as scheduling needs it; exchanged in tests. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls `action` once after `ms` milliseconds unless the function returned is called before. */
  after(ms: number, action: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms)
    return () => clearTimeout(timer)
  },
}
