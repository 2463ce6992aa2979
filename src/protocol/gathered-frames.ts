import { ProtocolError } from '../errors/offload-error.js'
import type { Consumer } from './consumer.js'
import type { FrameSink } from './frames.js'

/** Bytes of the log kept for error messages and verdicts. */
const logTailLength = 4096

/** What a run of the frame grammar brought, until it is handed over: many small frames make one delivery. */
export class GatheredFrames implements FrameSink {
  #log: Buffer[] = []
  #data: Buffer[] = []
  #tail = Buffer.alloc(0)

  constructor(private readonly to: { readonly onLog?: Consumer | undefined; readonly onData?: Consumer | undefined }) {}

  get logTail(): string {
    return this.#tail.toString('utf8')
  }

  log(piece: Buffer): void {
    this.#log.push(piece)
  }

  data(piece: Buffer): void {
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
        throw new ProtocolError({
          code: 'malformed-data',
          step: 'reading an answer of the daemon',
          problem: 'the daemon sends data nobody asked for',
        })
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
