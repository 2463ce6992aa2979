import type { Duplex } from 'node:stream'
import type { ByteChannel } from '../protocol/byte-channel.js'

/**
 * A duplex stream (a Unix socket, a channel of an SSH session, the standard streams of a bridge process) as a byte channel. The stream stays in
 * paused mode: it fills its own buffer and then stops reading from the peer until somebody asks.
 */
export class DuplexChannel implements ByteChannel {
  readonly #stream: Duplex
  #failure: Error | undefined
  #ended = false
  #wakeReader: (() => void) | undefined
  #rejectWriter: ((reason: Error) => void) | undefined

  constructor(stream: Duplex) {
    this.#stream = stream
    // The error listener stays for good: a destroyed socket may still report one, which must not bring the process down.
    stream.on('error', (error: Error) => this.#fail(error))
    stream.on('close', () => this.#fail(new Error('the stream was closed')))
    stream.on('end', () => {
      this.#ended = true
      this.#wake()
    })
    stream.on('readable', () => this.#wake())
    if (stream.errored !== null) this.#fail(stream.errored)
    else if (stream.destroyed) this.#fail(new Error('the stream was closed'))
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#stream.read() as Buffer | null
      if (chunk !== null) return chunk
      if (this.#ended) return undefined
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => (this.#wakeReader = resolve))
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    await new Promise<void>((resolve, reject) => {
      this.#rejectWriter = reject
      // The callback, not `drain`: it comes once the bytes have left our buffer, and after an error too.
      this.#stream.write(bytes, (error) => (error instanceof Error ? reject(error) : resolve()))
    })
    this.#rejectWriter = undefined
  }

  close(): void {
    this.#fail(new Error('the stream was closed'))
    this.#stream.destroy()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
    this.#rejectWriter?.(this.#failure)
  }

  #wake(): void {
    this.#wakeReader?.()
    this.#wakeReader = undefined
  }
}
