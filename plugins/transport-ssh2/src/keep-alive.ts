import type { Socket } from 'node:net'

/**
 * Notices that a peer has fallen silent. ssh2 sends the keep-alive messages; it would also judge, but counts only answers to those, and an answer waits behind
 * whatever else is under way: a slow link busy with an upload would count as dead. Here any byte that arrives is a sign of life.
 */
export class KeepAlive {
  private lastHeard = performance.now()
  private timer: NodeJS.Timeout | undefined

  /** @param silenceMs - How long nothing may arrive. */
  constructor(private readonly socket: Socket, private readonly silenceMs: number, private readonly onSilence: (silentMs: number) => void) {
    socket.on('data', this.heard)
    this.schedule(silenceMs)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.socket.off('data', this.heard)
  }

  private readonly heard = (): void => {
    this.lastHeard = performance.now()
  }

  private schedule(delay: number): void {
    const due = performance.now() + delay
    this.timer = setTimeout(() => {
      // After a pause of this process (a suspended computer) answers may lie unread: read them first, and wait for fresh ones.
      const late = performance.now() - due
      if (late > this.silenceMs / 4) return this.schedule(this.silenceMs / 2)
      setImmediate(() => this.check())
    }, delay)
  }

  private check(): void {
    const silentMs = performance.now() - this.lastHeard
    if (silentMs >= this.silenceMs) this.onSilence(silentMs)
    else this.schedule(this.silenceMs - silentMs)
  }
}

/** How often to send, so that `misses` messages go unanswered before `keepAliveMs * misses` have passed in silence. */
export function keepAliveInterval(keepAliveMs: number, misses: number): number {
  return Math.max(1, Math.floor((keepAliveMs * misses) / (misses + 1)))
}
