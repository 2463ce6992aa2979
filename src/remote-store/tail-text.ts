import type { Readable } from 'node:stream'
import { oneLine } from '../protocol/daemon-error.js'

/** Bytes kept. */
const limit = 16 * 1024

/** The last of what a command says on stderr, read as it comes so that the command is never held up by it. */
export class TailText {
  #kept = Buffer.alloc(0)
  readonly #done: Promise<void>

  constructor(stream: Readable) {
    this.#done = new Promise((resolve) => {
      stream.on('data', (chunk: Buffer) => (this.#kept = Buffer.concat([this.#kept, chunk]).subarray(-limit)))
      stream.on('error', () => resolve())
      stream.on('close', () => resolve())
      stream.on('end', () => resolve())
    })
  }

  /** All of it, once the command has ended; never rejects. */
  async whole(): Promise<string> {
    await this.#done
    return this.#kept.toString('utf8')
  }

  /** The same as one line. */
  async text(): Promise<string> {
    return oneLine(await this.whole())
  }
}
