/**
 * Node streams for a command's standard input and outputs. Outputs report what has been taken, which is what the flow-control window is renewed by; a write that
 * nobody will take fails. An error nobody listens for is not fatal: the connection's owner hears of it anyway.
 */
import { Readable, Writable } from 'node:stream'

type Done = (error?: Error | null) => void

const highWaterMark = 64 * 1024
const ignore = (): void => undefined

/** Standard output or standard error. */
export class OutputStream extends Readable {
  private readonly queue: Buffer[] = []
  private wanted = false
  private complete = false

  constructor(private readonly taken: (bytes: number) => void) {
    super({ highWaterMark })
    this.on('error', ignore)
  }

  /** What has arrived. */
  receive(chunk: Buffer): void {
    if (this.destroyed) return this.taken(chunk.length)
    this.queue.push(chunk)
    if (this.wanted) this.passOn()
  }

  /** Nothing more will arrive. */
  finish(): void {
    this.complete = true
    if (this.wanted || this.queue.length === 0) this.passOn()
  }

  override _read(): void {
    this.wanted = true
    this.passOn()
  }

  override _destroy(error: Error | null, done: Done): void {
    for (const chunk of this.queue.splice(0)) this.taken(chunk.length)
    done(error)
  }

  private passOn(): void {
    while (this.wanted) {
      const chunk = this.queue.shift()
      if (chunk === undefined) break
      this.taken(chunk.length)
      this.wanted = this.push(chunk)
    }
    if (this.complete && this.queue.length === 0) {
      this.complete = false
      this.push(null)
    }
  }
}

/** What a standard input writes to. */
export interface InputSink {
  /** Calls back when all of it is on its way. */
  write(chunk: Buffer, done: Done): void
  /** No more will come. */
  end(): void
}

/** Standard input. */
export class InputStream extends Writable {
  private refusal: Error | undefined
  private pending: Done | undefined

  constructor(private readonly sink: InputSink) {
    super({ highWaterMark, decodeStrings: true })
    this.on('error', ignore)
  }

  /** The reader is gone: what waits and what comes fails. */
  refuse(error: Error): void {
    this.refusal ??= error
    const { pending } = this
    this.pending = undefined
    pending?.(this.refusal)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.refusal !== undefined) return done(this.refusal)
    this.pending = done
    this.sink.write(chunk, () => {
      if (this.pending !== done) return
      this.pending = undefined
      done()
    })
  }

  override _final(done: Done): void {
    if (this.refusal === undefined) this.sink.end()
    done()
  }

  /** Destroyed without `end`: the command is told that there is no more, as closing a pipe would. */
  override _destroy(error: Error | null, done: Done): void {
    if (!this.writableFinished && this.refusal === undefined) this.sink.end()
    done(error)
  }
}
