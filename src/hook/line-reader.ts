import type { Readable } from 'node:stream'
import { ProtocolError } from '../errors/offload-error.js'

const newline = 0x0a

/**
 * Lines of a byte stream, on demand. Each read takes a maximum; time is linear in the length of a line, however it is split: the closure
 * of a large system fills one line of many megabytes.
 */
export class LineReader {
  readonly #chunks: AsyncIterator<Buffer>
  /** What was read beyond the last line. */
  #rest: Buffer = Buffer.alloc(0)

  constructor(input: Readable) {
    this.#chunks = (input as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  }

  /**
   * The next line without its end, or undefined if the stream ends before the line does: whoever was writing it is gone.
   * @throws ProtocolError `line-too-long`
   */
  async next(maxBytes: number): Promise<string | undefined> {
    const parts: Buffer[] = []
    let length = 0
    for (;;) {
      const end = this.#rest.indexOf(newline)
      const part = end === -1 ? this.#rest : this.#rest.subarray(0, end)
      parts.push(part)
      length += part.length
      if (length > maxBytes) {
        throw new ProtocolError(
          { code: 'line-too-long', step: 'reading from guix-daemon', problem: 'a line does not end', expected: `at most ${maxBytes} bytes` },
          'never',
        )
      }
      if (end !== -1) {
        this.#rest = this.#rest.subarray(end + 1)
        return Buffer.concat(parts).toString('utf8')
      }
      this.#rest = Buffer.alloc(0)
      const chunk = await this.#chunks.next()
      if (chunk.done === true) return undefined
      this.#rest = chunk.value
    }
  }
}
