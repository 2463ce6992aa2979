import { keepAliveInterval, SilenceWatch } from 'guix-offload-ssh-common/silence-watch.js'

/** Notices that a peer has fallen silent: lsh itself has neither keep-alive messages nor time-outs. A question goes out at every interval. */
export class KeepAlive {
  private readonly watch: SilenceWatch
  private readonly asking: NodeJS.Timeout

  /** Nothing at all for `keepAliveMs * misses`, with so many questions in that time, is silence. */
  constructor(keepAliveMs: number, misses: number, ask: () => void, onSilence: (silentMs: number) => void) {
    this.asking = setInterval(ask, keepAliveInterval(keepAliveMs, misses))
    this.watch = new SilenceWatch(keepAliveMs * misses, onSilence)
  }

  readonly heard = (): void => this.watch.heard()

  stop(): void {
    this.watch.stop()
    clearInterval(this.asking)
  }
}
