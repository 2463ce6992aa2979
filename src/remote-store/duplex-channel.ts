import type { Duplex, Readable, Writable } from 'node:stream'
import type { ByteChannel } from '../protocol/byte-channel.js'

/**
 * A duplex stream (a Unix socket, a channel of an SSH session), or the standard streams of a command, as a byte channel. The stream stays in
 * paused mode: it fills its own buffer and then stops reading from the peer until somebody asks.
 */
export class DuplexChannel implements ByteChannel {
  readonly #reading: Readable
  readonly #writing: Writable
  #readFailure: Error | undefined
  #writeFailure: Error | undefined
  #ended = false
  #wakeReader: (() => void) | undefined
  #rejectWriter: ((reason: Error) => void) | undefined

  constructor(stream: Duplex)
  /** What has come in can be read though nothing more can be written. */
  constructor(reading: Readable, writing: Writable)
  constructor(reading: Readable, writing: Writable = reading as Duplex) {
    this.#reading = reading
    this.#writing = writing
    // The error listeners stay for good: a destroyed socket may still report one, which must not bring the process down.
    this.#watch(reading, (error) => this.#failReading(error))
    this.#watch(writing, (error) => this.#failWriting(error))
    reading.on('end', () => {
      this.#ended = true
      this.#wake()
    })
    reading.on('readable', () => this.#wake())
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#reading.read() as Buffer | null
      if (chunk !== null) return chunk
      if (this.#ended) return undefined
      if (this.#readFailure !== undefined) throw this.#readFailure
      await new Promise<void>((resolve) => (this.#wakeReader = resolve))
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#writeFailure !== undefined) throw this.#writeFailure
    await new Promise<void>((resolve, reject) => {
      this.#rejectWriter = reject
      // The callback, not `drain`: it comes once the bytes have left our buffer, and after an error too.
      this.#writing.write(bytes, (error) => (error instanceof Error ? reject(error) : resolve()))
    })
    this.#rejectWriter = undefined
  }

  close(): void {
    const error = new Error('the stream was closed')
    this.#failReading(error)
    this.#failWriting(error)
    this.#reading.destroy()
    this.#writing.destroy()
  }

  #watch(stream: Readable | Writable, fail: (error: Error) => void): void {
    stream.on('error', fail)
    stream.on('close', () => fail(new Error('the stream was closed')))
    if (stream.errored !== null) fail(stream.errored)
    else if (stream.destroyed) fail(new Error('the stream was closed'))
  }

  #failReading(error: Error): void {
    this.#readFailure ??= error
    this.#wake()
  }

  #failWriting(error: Error): void {
    this.#writeFailure ??= error
    this.#rejectWriter?.(this.#writeFailure)
  }

  #wake(): void {
    this.#wakeReader?.()
    this.#wakeReader = undefined
  }
}
