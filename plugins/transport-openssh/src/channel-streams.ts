/**
 * Streams of a channel over those of Node that lead to the control master. They end the same way whether the other side has said its last or ssh has
 * died: so before an end is believed the connection is asked whether it is still there, and if not, it is an error. Errors nobody listens for are not
 * fatal.
 */
import { Duplex, finished, Readable, Writable } from 'node:stream'

type Done = (error?: Error | null) => void

/** What the connection has to say to the end of a stream: the reason it was lost, or undefined: the end is true. */
export type Verdict = () => Promise<Error | undefined>

const highWaterMark = 256 * 1024
const ignore = (): void => undefined

function passOn(source: Readable, target: Readable, verdict: Verdict, onData: () => void = ignore): void {
  source.on('data', (chunk: Buffer) => {
    onData()
    if (!target.destroyed && !target.push(chunk)) source.pause()
  })
  const ended = (error?: Error): void => {
    if (target.destroyed || target.readableEnded) return
    void verdict().then((lost) => {
      if (target.destroyed) return
      if (lost ?? error) target.destroy(lost ?? error)
      else target.push(null)
    })
  }
  source.once('end', () => ended())
  source.on('error', ended)
  source.pause()
}

/** Standard output or standard error. Destroyed, it throws away what comes, so that the command goes on. */
export class OutputStream extends Readable {
  constructor(private readonly source: Readable, verdict: Verdict) {
    super({ highWaterMark })
    this.on('error', ignore)
    passOn(source, this, verdict)
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
export class InputStream extends Writable {
  constructor(private readonly target: Writable, private readonly verdict: Verdict, private readonly ended: () => Error) {
    super({ highWaterMark, decodeStrings: true })
    this.on('error', ignore)
    target.on('error', ignore)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    write(this.target, chunk, this.verdict, this.ended, done)
  }

  override _final(done: Done): void {
    finish(this.target, done)
  }

  /** Destroyed without `end`: the command is told that there is no more, as closing a pipe would. */
  override _destroy(error: Error | null, done: Done): void {
    this.target.destroy()
    done(error)
  }
}

/** A stream to a socket on the machine. */
export class SocketStream extends Duplex {
  private silent = true

  /** @param unheard - Asked besides when the other side ends before it has said anything and we are not through. */
  constructor(private readonly socket: Duplex, private readonly verdict: Verdict, unheard: Verdict, private readonly ended: () => Error) {
    super({ readableHighWaterMark: highWaterMark, writableHighWaterMark: highWaterMark, decodeStrings: true, allowHalfOpen: true })
    this.on('error', ignore)
    const atEnd: Verdict = async () => await verdict() ?? (this.silent && !this.writableEnded ? await unheard() : undefined)
    passOn(socket, this, atEnd, () => {
      this.silent = false
    })
    socket.once('close', () => {
      if (this.readableEnded) this.destroy()
      else this.once('end', () => this.destroy())
    })
  }

  override _read(): void {
    this.socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    write(this.socket, chunk, this.verdict, this.ended, done)
  }

  override _final(done: Done): void {
    finish(this.socket, done)
  }

  override _destroy(error: Error | null, done: Done): void {
    this.socket.destroy()
    done(error)
  }
}

function write(target: Writable, chunk: Buffer, verdict: Verdict, ended: () => Error, done: Done): void {
  const settle = (error?: Error | null): void => {
    if (error === undefined || error === null) return done()
    void verdict().then((lost) => done(lost ?? ended()))
  }
  if (target.destroyed || target.writableEnded) settle(ended())
  else target.write(chunk, settle)
}

function finish(target: Writable, done: Done): void {
  if (target.destroyed) return done()
  // The reader may be gone before: there is nothing it could miss.
  finished(target, { readable: false }, () => done())
  target.end()
}
