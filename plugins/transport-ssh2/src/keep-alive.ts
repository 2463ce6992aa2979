import type { Socket } from 'node:net'
import { SilenceWatch } from 'guix-offload-ssh-common/silence-watch.js'

/**
 * Notices that a peer has fallen silent. ssh2 sends the keep-alive messages; it would also judge, but counts only answers to those: a slow link busy with an upload
 * would count as dead. Here any byte that arrives is a sign of life.
 */
export class KeepAlive {
  private readonly watch: SilenceWatch

  /** @param silenceMs - How long nothing may arrive. */
  constructor(private readonly socket: Socket, silenceMs: number, onSilence: (silentMs: number) => void) {
    this.watch = new SilenceWatch(silenceMs, onSilence)
    socket.on('data', this.watch.heard)
  }

  stop(): void {
    this.watch.stop()
    this.socket.off('data', this.watch.heard)
  }
}
