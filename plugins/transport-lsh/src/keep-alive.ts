/**
 * Notices that a peer has fallen silent: lsh itself has neither keep-alive messages nor time-outs. A question goes out at every interval; any message from the
 * server is a sign of life, since the answer may wait behind whatever else is under way.
 */
export class KeepAlive {
  private lastHeard = performance.now()
  private watch: NodeJS.Timeout | undefined
  private readonly asking: NodeJS.Timeout

  /** Nothing at all for `keepAliveMs * misses`, with so many questions in that time, is silence. */
  constructor(keepAliveMs: number, misses: number, ask: () => void, private readonly onSilence: (silentMs: number) => void) {
    this.silenceMs = keepAliveMs * misses
    this.asking = setInterval(ask, Math.max(1, Math.floor(this.silenceMs / (misses + 1))))
    this.schedule(this.silenceMs)
  }

  private readonly silenceMs: number

  readonly heard = (): void => {
    this.lastHeard = performance.now()
  }

  stop(): void {
    clearTimeout(this.watch)
    clearInterval(this.asking)
  }

  private schedule(delay: number): void {
    const due = performance.now() + delay
    this.watch = setTimeout(() => {
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
