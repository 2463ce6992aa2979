import { InternalError, MachineError, OffloadError, ProtocolError } from '../errors/offload-error.js'
import { ByteFeed, type Decoding } from '../wire/byte-feed.js'
import { encodeString } from '../wire/encode.js'
import type { ByteChannel } from './byte-channel.js'
import { DaemonError } from './daemon-error.js'
import { type FrameSink, turn } from './frames.js'
import { SourceReader } from './source-reader.js'

/** Takes bytes; the daemon is not read from while it is busy. */
export type Consumer = (bytes: Uint8Array) => void | Promise<void>

export interface Request<T> {
  /** What it is called in errors: `adding the derivation`. */
  readonly step: string
  /** Sent in one write. */
  readonly message: Uint8Array
  /** What the daemon says before it starts to work; only the greeting has that. */
  readonly preamble?: ((feed: ByteFeed) => Decoding<void>) | undefined
  readonly reply: (feed: ByteFeed) => Decoding<T>
  readonly onLog?: Consumer | undefined
  /** For the data of WRITE frames; without it they are an error. */
  readonly onData?: Consumer | undefined
  /** For the answers to READ frames; without it they are an error. */
  readonly source?: AsyncIterable<Uint8Array> | undefined
  readonly silence?: SilenceLimit | undefined
}

/**
 * How long the daemon may say nothing. Only where it has nothing to wait for itself: adding, keeping and exporting an item wait for a collection of garbage that is
 * under way, which may take hours, and a build takes its time anyway.
 */
export interface SilenceLimit {
  readonly ms: number
  /** `data`: once the first data has come. */
  readonly from: 'request' | 'data'
}

const logTailLength = 4096

/**
 * Strict request and reply over a channel. The daemon takes any byte that arrives while it works for a broken or vanished client, so nothing is
 * ever sent before the current reply is complete, except the answer to a READ. After the first error or the abort the channel is closed and the
 * exchange stays broken: there is no way to tell what a half-finished conversation would bring next.
 */
export class Exchange {
  readonly #channel: ByteChannel
  readonly #signal: AbortSignal | undefined
  readonly #feed = new ByteFeed('an answer of the daemon')
  readonly #onAbort = (): void => this.#abort()
  #running: string | undefined
  #failure: Error | undefined
  #closed = false
  /** Rejects what is being waited for; there is only ever one such thing. */
  #interrupt: ((reason: Error) => void) | undefined

  constructor(channel: ByteChannel, signal?: AbortSignal) {
    this.#channel = channel
    this.#signal = signal
    if (signal?.aborted === true) this.#abort()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  get usable(): boolean {
    return this.#failure === undefined && !this.#closed
  }

  async request<T>(request: Request<T>): Promise<T> {
    this.#claim(request.step)
    try {
      return await this.#converse(request)
    } catch (error) {
      throw this.#break(error, request.step)
    } finally {
      this.#running = undefined
    }
  }

  /** Interrupts what is running, which is how a build is cancelled. Safe to call twice. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#failure ??= new MachineError({ code: 'daemon-connection-closed', step: this.#running ?? 'talking to the daemon', problem: 'we closed the connection' })
    this.#release(this.#failure)
  }

  #claim(step: string): void {
    if (this.#running !== undefined) throw new InternalError(`${step} while ${this.#running}: one request at a time`)
    if (this.#failure !== undefined) {
      if (this.#signal?.aborted === true) throw this.#failure
      throw new MachineError({ code: 'daemon-connection-closed', step, problem: 'the connection to the daemon has ended already', cause: this.#failure })
    }
    if (this.#feed.available > 0) throw this.#break(this.#feed.fail('the daemon spoke unasked'), step)
    this.#running = step
  }

  async #converse<T>(request: Request<T>): Promise<T> {
    const gathered = new GatheredFrames(request)
    const source = request.source === undefined ? undefined : new SourceReader(request.source)
    try {
      await this.#write(request.message)
      if (request.preamble !== undefined) await this.#decode(request.preamble(this.#feed), gathered)
      for (;;) {
        const next = await this.#decode(turn(this.#feed, gathered), gathered)
        if (next.kind === 'last') break
        if (next.kind === 'error') throw new DaemonError(request.step, next.text, next.status, gathered.logTail)
        if (source === undefined) throw this.#feed.fail('the daemon asks for data nobody offered')
        if (this.#feed.available > 0) throw this.#feed.fail('the daemon goes on talking after it asked for data')
        const data = await this.#guard(source.read(next.max))
        if (data.length === 0) throw new InternalError(`${request.step}: the daemon asks for more than there is to send`)
        await this.#write(encodeString(data))
      }
      const reply = await this.#decode(request.reply(this.#feed), gathered)
      if (this.#feed.available > 0) throw this.#feed.fail('the reply is longer than it should be')
      return reply
    } finally {
      source?.release()
    }
  }

  /** Runs a grammar to its end, reading from the channel whenever it is dry and all it brought has been taken. */
  async #decode<T>(decoding: Decoding<T>, gathered: GatheredFrames): Promise<T> {
    for (;;) {
      const step = decoding.next()
      for (let delivery = gathered.next(); delivery !== undefined; delivery = gathered.next()) await this.#guard(delivery)
      if (step.done === true) return step.value
      const chunk = await this.#read(gathered.silenceMs)
      if (chunk === undefined) this.#feed.end()
      else this.#feed.push(chunk)
    }
  }

  async #read(silenceMs: number | undefined): Promise<Uint8Array | undefined> {
    const reading = this.#guard(this.#channel.read().catch(brokenChannel))
    if (silenceMs === undefined) return reading
    const timer = setTimeout(() => this.#interrupt?.(stalled(this.#running ?? 'talking to the daemon', silenceMs)), silenceMs)
    try {
      return await reading
    } finally {
      clearTimeout(timer)
    }
  }

  #write(bytes: Uint8Array): Promise<void> {
    return this.#guard(this.#channel.write(bytes).catch(brokenChannel))
  }

  /** Waits for `promise`, or until the exchange is aborted or closed. */
  #guard<T>(promise: Promise<T>): Promise<T> {
    if (this.#failure !== undefined) {
      promise.catch(() => undefined)
      return Promise.reject(this.#failure)
    }
    return new Promise<T>((resolve, reject) => {
      this.#interrupt = reject
      promise.then(resolve, reject)
    })
  }

  #abort(): void {
    this.#failure ??= abortReason(this.#signal)
    this.#release(this.#failure)
  }

  /** Ends the exchange with its first failure, in terms of this project. */
  #break(error: unknown, step: string): Error {
    this.#failure ??= this.#signal?.aborted === true ? abortReason(this.#signal) : translate(error, step)
    this.#release(this.#failure)
    return this.#failure
  }

  #release(reason: Error): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#channel.close()
    this.#interrupt?.(reason)
    this.#interrupt = undefined
  }
}

/** What a run of the frame grammar brought, until it is handed over: many small frames make one delivery. */
class GatheredFrames implements FrameSink {
  #log: Buffer[] = []
  #data: Buffer[] = []
  #tail = Buffer.alloc(0)

  #dataHasCome = false

  constructor(private readonly to: Pick<Request<unknown>, 'onLog' | 'onData' | 'silence'>) {}

  /** How long the next piece may take. */
  get silenceMs(): number | undefined {
    const { silence } = this.to
    return silence?.from === 'request' || this.#dataHasCome ? silence?.ms : undefined
  }

  get logTail(): string {
    return this.#tail.toString('utf8')
  }

  log(piece: Buffer): void {
    this.#log.push(piece)
  }

  data(piece: Buffer): void {
    this.#dataHasCome = true
    this.#data.push(piece)
  }

  /** The next delivery under way, undefined if all is handed over. */
  next(): Promise<void> | undefined {
    if (this.#log.length > 0) {
      const log = merge(this.#log)
      this.#log = []
      this.#tail = Buffer.concat([this.#tail, log.subarray(-logTailLength)]).subarray(-logTailLength)
      return deliver(this.to.onLog, log)
    }
    if (this.#data.length > 0) {
      const { onData } = this.to
      if (onData === undefined) {
        throw new ProtocolError({ code: 'malformed-data', step: 'reading an answer of the daemon', problem: 'the daemon sends data nobody asked for' })
      }
      const data = merge(this.#data)
      this.#data = []
      return deliver(onData, data)
    }
    return undefined
  }
}

async function deliver(consumer: Consumer | undefined, bytes: Uint8Array): Promise<void> {
  await consumer?.(bytes)
}

function merge(pieces: readonly Buffer[]): Buffer {
  const [first] = pieces
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces)
}

/** What a channel that is not one of ours rejects with; kept apart from errors of consumers and sources, which are passed on as they are. */
class BrokenChannel extends Error {}

function brokenChannel(cause: unknown): never {
  if (cause instanceof OffloadError) throw cause
  throw new BrokenChannel(cause instanceof Error ? cause.message : String(cause), { cause })
}

/** A conversation that is cut off is the machine's failure, not a malformed answer. */
function translate(error: unknown, step: string): Error {
  const lost = { code: 'daemon-connection-lost', step }
  if (error instanceof ProtocolError && error.code === 'truncated-data') {
    return new MachineError({ ...lost, problem: 'the daemon closed the connection before it had answered', cause: error })
  }
  if (error instanceof BrokenChannel) return new MachineError({ ...lost, problem: `the connection to the daemon broke: ${error.message}`, cause: error.cause })
  return error instanceof Error ? error : new InternalError(`${step}: something that is no error was thrown`, error)
}

function stalled(step: string, ms: number): MachineError {
  return new MachineError({
    code: 'daemon-silent', step, problem: `the daemon has said nothing for ${ms / 1000} s`, cure: 'The machine may be overloaded, or its guix-daemon hang',
  })
}

function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason })
}
