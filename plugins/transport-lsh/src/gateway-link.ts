/**
 * One connection to the socket of a `lsh --gateway`. What goes over it is the connection protocol of SSH (RFC 4254) in the clear: each message as a 32-bit length and
 * the payload, which lsh passes on to the server under channel numbers of its own. This is what `lshg` speaks; it is spoken here directly, since `lshg` mixes
 * its own messages with the command's standard error, turns signals into exit status 7, and has a receive window of 10 kB.
 *
 * lsh holds back no sender: when more than about 100 kB wait to be written to a link it takes the reader for dead and drops the link. So a link is always read, and one
 * channel to a link, with a window below that, keeps it under the limit.
 */
import { connect, type Socket } from 'node:net'
import { encode, maxMessage, type Field, message } from './messages.js'

export interface LinkEvents {
  message(payload: Buffer): void
  /** Some messages have been dealt with, and nothing was sent meanwhile. */
  unanswered?(): void
  closed(): void
}

export class GatewayLink {
  private pending: Buffer[] = []
  private pendingBytes = 0
  /** Messages, over the life of the link. */
  sent = 0

  private constructor(private readonly socket: Socket, private readonly events: LinkEvents) {
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('error', () => undefined)
    socket.once('close', () => events.closed())
  }

  static open(path: string, events: LinkEvents): Promise<GatewayLink> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new GatewayLink(socket, events))
      })
    })
  }

  send(...fields: readonly Field[]): void {
    this.sent++
    if (!this.socket.destroyed && this.socket.writable) this.socket.write(encode(fields))
  }

  /** A question that every server answers at once, with a refusal: a channel of a type that does not exist. */
  ask(channel: number): void {
    this.send(message.channelOpen, 'are-you-there@guix-offload', channel, 0, maxMessage)
  }

  end(): void {
    this.socket.end()
    this.socket.destroySoon()
  }

  private receive(chunk: Buffer): void {
    this.pending.push(chunk)
    this.pendingBytes += chunk.length
    if (this.pendingBytes < 4) return
    const sentBefore = this.sent
    let bytes = this.pending.length === 1 ? chunk : Buffer.concat(this.pending)
    while (bytes.length >= 4) {
      const length = bytes.readUInt32BE(0)
      if (length === 0 || length > 2 * maxMessage) return void this.socket.destroy()
      if (bytes.length < 4 + length) break
      this.events.message(bytes.subarray(4, 4 + length))
      bytes = bytes.subarray(4 + length)
    }
    this.pending = bytes.length === 0 ? [] : [bytes]
    this.pendingBytes = bytes.length
    if (this.sent === sentBefore) this.events.unanswered?.()
  }
}
