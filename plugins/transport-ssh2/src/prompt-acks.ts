/**
 * OpenSSH's server switches Nagle's algorithm off only when a first command runs. Until then each small message of its waits for our acknowledgement of the one
 * before, which the kernel puts off by 40 ms unless there is something to send: opening the first channel took 45 ms instead of 5 on loopback. So
 * something is sent: a global request without reply (RFC 4254, 4) to cancel a forwarding that does not exist, of which nothing comes. lshd never switches it off; one
 * that may not forward at all answers nevertheless, so this does not go on for ever by itself.
 */
import type { Socket } from 'node:net'
import type { Client } from 'ssh2'
import { attempt } from './ssh2-internals.js'

/** Longer chunks fill a segment, which Nagle's algorithm does not hold back. */
const smallest = 1024
/** So many in a row, with nothing else sent in between. */
const mostAlone = 64

export class PromptAcks {
  private stopped = false
  private alone = 0
  private writtenByUs = -1

  constructor(private readonly client: Client, private readonly socket: Socket) {
    socket.on('data', this.onData)
  }

  stop(): void {
    this.stopped = true
    this.socket.off('data', this.onData)
  }

  private readonly onData = (chunk: Buffer): void => {
    if (chunk.length > smallest) return
    const written = this.socket.bytesWritten
    // What is sent in answer acknowledges as well.
    setImmediate(() => {
      if (this.stopped || this.socket.bytesWritten !== written || !this.socket.writable) return
      this.alone = written === this.writtenByUs ? this.alone + 1 : 0
      if (this.alone >= mostAlone) return
      attempt(() => this.client.unforwardIn('', 0))
      this.writtenByUs = this.socket.bytesWritten
    })
  }
}
