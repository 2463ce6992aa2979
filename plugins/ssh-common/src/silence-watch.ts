/** Notices that nothing at all has been heard of a peer for `silenceMs`. Any sign of life counts: an answer to a question may wait behind whatever else is under way. */
export class SilenceWatch {
  private lastHeard = performance.now()
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly silenceMs: number, private readonly onSilence: (silentMs: number) => void) {
    this.schedule(silenceMs)
  }

  readonly heard = (): void => {
    this.lastHeard = performance.now()
  }

  stop(): void {
    clearTimeout(this.timer)
  }

  private schedule(delay: number): void {
    const due = performance.now() + delay
    this.timer = setTimeout(() => {
      // After a pause of this process (a suspended computer) answers may lie unread: read them first, and wait for fresh ones.
      if (performance.now() - due > this.silenceMs / 4) return this.schedule(this.silenceMs / 2)
      setImmediate(() => this.check())
    }, delay)
  }

  private check(): void {
    const silentMs = performance.now() - this.lastHeard
    if (silentMs >= this.silenceMs) this.onSilence(silentMs)
    else this.schedule(this.silenceMs - silentMs)
  }
}

/** How often to ask, so that `misses` questions go unanswered before `keepAliveMs * misses` have passed in silence. */
export function keepAliveInterval(keepAliveMs: number, misses: number): number {
  return Math.max(1, Math.floor((keepAliveMs * misses) / (misses + 1)))
}
