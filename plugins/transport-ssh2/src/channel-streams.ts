/**
 * Node streams over an ssh2 channel that keep Node's promises: back-pressure in both directions, `destroy` ends them with an error, a lost connection is an error and
 * not an end of file, and a write that the other side will never take fails. (ssh2's own channel has a `destroy` that says nothing, ends cleanly when the
 * connection breaks, and never calls back for a write on a closed channel.) An error nobody listens for is not fatal: the connection's owner hears of it anyway.
 */
import { Duplex, Readable, Writable } from 'node:stream'
import type { ClientChannel } from 'ssh2'
import { attempt } from './ssh2-internals.js'

type Done = (error?: Error | null) => void

/** A packet is 32 KiB at most; a few of them keep the pipe full. */
const highWaterMark = 256 * 1024
const ignore = (): void => undefined

/** Passes on what comes from `source` as far as `target` takes it, and reports it as taken. A destroyed target throws it away. */
function passOn(source: Readable, target: Readable, taken: (bytes: number) => void): void {
  source.on('error', ignore)
  source.on('data', (chunk: Buffer) => {
    taken(chunk.length)
    if (!target.destroyed && !target.push(chunk)) source.pause()
  })
  source.once('end', () => {
    if (!target.destroyed) target.push(null)
  })
  source.pause()
}

/** The sending half of a channel. One write is under way at a time: its callback comes when the server's window has taken it. */
class Sender {
  private pending: Done | undefined
  private refusal: Error | undefined

  constructor(private readonly channel: ClientChannel, closed: () => Error) {
    channel.on('error', ignore)
    // ssh2 answers the server's closing of a channel with `close`, but tells of it only when all input has been read: too late for a waiting write.
    const close = channel.close.bind(channel)
    channel.close = () => {
      attempt(close)
      this.refuse(closed())
    }
    channel.once('close', () => this.refuse(closed()))
  }

  /** Nothing more will be taken. */
  refuse(error: Error): void {
    this.refusal ??= error
    const { pending } = this
    this.pending = undefined
    pending?.(this.refusal)
  }

  write(chunk: Buffer, done: Done): void {
    this.run(done, (settle) => this.channel.write(chunk, settle))
  }

  end(done: Done): void {
    if (this.refusal !== undefined) return done()
    this.run(done, (settle) => this.channel.end(() => settle()))
  }

  private run(done: Done, action: (settle: Done) => void): void {
    if (this.refusal !== undefined) return done(this.refusal)
    const settle: Done = (error) => {
      if (this.pending !== done) return
      this.pending = undefined
      done(error === null || error === undefined ? null : this.refusal ?? error)
    }
    this.pending = done
    try {
      action(settle)
    } catch (error) {
      settle(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

/** Standard output or standard error. */
export class ChannelReader extends Readable {
  constructor(private readonly source: Readable, taken: (bytes: number) => void) {
    super({ highWaterMark })
    this.on('error', ignore)
    passOn(source, this, taken)
  }

  override _read(): void {
    this.source.resume()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.source.resume()
    done(error)
  }
}

/** Standard input. */
export class ChannelWriter extends Writable {
  private readonly sender: Sender

  constructor(channel: ClientChannel, closed: () => Error) {
    super({ highWaterMark, decodeStrings: true })
    this.on('error', ignore)
    this.sender = new Sender(channel, closed)
  }

  /** The reader is gone: what waits and what comes fails. */
  refuse(error: Error): void {
    this.sender.refuse(error)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.sender.write(chunk, done)
  }

  override _final(done: Done): void {
    this.sender.end(done)
  }

  /** Destroyed without `end`: the command is told that there is no more, as closing a pipe would. */
  override _destroy(error: Error | null, done: Done): void {
    if (!this.writableFinished) this.sender.end(ignore)
    done(error)
  }
}

/** A stream to a socket on the machine. */
export class ChannelSocket extends Duplex {
  private readonly sender: Sender

  constructor(private readonly channel: ClientChannel, taken: (bytes: number) => void, closed: () => Error) {
    super({ readableHighWaterMark: highWaterMark, writableHighWaterMark: highWaterMark, decodeStrings: true, allowHalfOpen: true })
    this.on('error', ignore)
    this.sender = new Sender(channel, closed)
    passOn(channel, this, taken)
    channel.once('close', () => {
      if (this.readableEnded) this.destroy()
      else this.once('end', () => this.destroy())
    })
  }

  override _read(): void {
    this.channel.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.sender.write(chunk, done)
  }

  override _final(done: Done): void {
    this.sender.end(done)
  }

  override _destroy(error: Error | null, done: Done): void {
    this.channel.close()
    this.channel.resume()
    done(error)
  }
}
