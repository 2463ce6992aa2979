import { once } from 'node:events'
import type { Socket } from 'node:net'

/** Thrown where a conversation ends because a side has hung up; for a relay that is no failure. */
export class HungUp extends Error {}

/** A socket read in pieces of a known length, written with back-pressure. */
export class SocketBytes {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(readonly socket: Socket) {
    socket.on('error', () => socket.destroy())
    this.#chunks = (socket as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  }

  async take(length: number): Promise<Buffer> {
    const pieces = [this.#rest]
    for (let have = this.#rest.length; have < length;) {
      const next = await this.#chunks.next().catch(() => undefined)
      if (next === undefined || next.done === true) throw new HungUp()
      pieces.push(next.value)
      have += next.value.length
    }
    const all = pieces.length === 1 ? this.#rest : Buffer.concat(pieces)
    this.#rest = all.subarray(length)
    return all.subarray(0, length)
  }

  async integer(): Promise<number> {
    return Number((await this.take(8)).readBigUInt64LE())
  }

  /** Length, bytes and padding, as they came, and the bytes alone. */
  async string(): Promise<{ readonly raw: Buffer; readonly bytes: Buffer }> {
    const head = await this.take(8)
    const length = Number(head.readBigUInt64LE())
    const body = await this.take(Math.ceil(length / 8) * 8)
    return { raw: Buffer.concat([head, body]), bytes: body.subarray(0, length) }
  }

  async send(bytes: Uint8Array): Promise<void> {
    if (this.socket.destroyed) throw new HungUp()
    if (this.socket.write(bytes)) return
    await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close')])
  }
}
