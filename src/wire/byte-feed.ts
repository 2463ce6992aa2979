import { ProtocolError } from '../errors/offload-error.js'

/**
 * Incremental decoding without I/O. A grammar is a generator over a {@link ByteFeed}: it takes bytes, and yields only when it has run dry;
 * whoever owns the socket pushes the next chunk and resumes it. Written this way a grammar reads like the format's definition and works for
 * every way the bytes can be split.
 *
 * Invariants: nothing is allocated from an unchecked length (every read takes a maximum); after its first error a decoder stays failed.
 */
export type Decoding<T> = Generator<void, T, void>

export class ByteFeed {
  #chunks: Buffer[] = []
  #head = 0
  #available = 0
  #ended = false
  /** Absolute position of the next byte, for error messages. */
  #offset = 0

  #onConsumed: ((bytes: Uint8Array) => void) | undefined
  /** Where in the first chunk the bytes begin that are consumed but not reported yet. */
  #reported = 0

  constructor(readonly what: string) {}

  get available(): number {
    return this.#available
  }

  get offset(): number {
    return this.#offset
  }

  /**
   * Told every byte that is consumed, in order; the hook for hashing what a grammar reads. Bytes are reported in runs as long as the chunks
   * allow, at the latest by {@link reportConsumed}: a call per token would cost more than the tokens. Setting it reports what is due first.
   */
  set onConsumed(listener: ((bytes: Uint8Array) => void) | undefined) {
    this.reportConsumed()
    this.#onConsumed = listener
  }

  /** Reports what was consumed and not reported yet. */
  reportConsumed(): void {
    const due = this.#chunks[0]?.subarray(this.#reported, this.#head)
    this.#reported = this.#head
    if (due !== undefined && due.length > 0) this.#onConsumed?.(due)
  }

  /** Chunks are kept and handed out without copying: whoever pushes one must not write to it again. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#chunks.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    this.#available += chunk.length
  }

  /** No more will come. */
  end(): void {
    this.#ended = true
  }

  fail(problem: string, details: { expected?: string; seen?: string } = {}): ProtocolError {
    return new ProtocolError({ code: 'malformed-data', step: `reading ${this.what}`, problem: `${problem} at byte ${this.#offset}`, ...details })
  }

  /** Waits until `length` bytes are there. */
  *need(length: number): Decoding<void> {
    while (this.#available < length) {
      if (this.#ended) {
        throw new ProtocolError({
          code: 'truncated-data',
          step: `reading ${this.what}`,
          problem: `the data ends at byte ${this.#offset + this.#available}`,
          expected: `at least ${length - this.#available} more bytes`,
        })
      }
      yield
    }
  }

  /** Takes up to `max` bytes of what is there now, without copying; at least one byte must be there. */
  takeSome(max: number): Buffer {
    const first = this.#chunks[0]
    if (first === undefined) throw this.fail('took bytes from an empty feed')
    const length = Math.min(max, first.length - this.#head)
    const bytes = first.subarray(this.#head, this.#head + length)
    this.#consume(length)
    return bytes
  }

  /** Takes exactly `length` bytes, which must be there. */
  take(length: number): Buffer {
    const first = this.#chunks[0]
    if (first !== undefined && first.length - this.#head >= length) {
      const bytes = first.subarray(this.#head, this.#head + length)
      this.#consume(length)
      return bytes
    }
    if (length > this.#available) throw this.fail('took more bytes than are there')
    const bytes = Buffer.allocUnsafe(length)
    for (let done = 0; done < length; ) done += this.takeSome(length - done).copy(bytes, done)
    return bytes
  }

  #consume(length: number): void {
    this.#head += length
    this.#offset += length
    this.#available -= length
    const first = this.#chunks[0]
    if (first !== undefined && this.#head === first.length) {
      this.reportConsumed()
      this.#chunks.shift()
      this.#head = 0
      this.#reported = 0
    }
  }
}

/** Runs one grammar over pushed chunks. */
export class Decoder<T> {
  readonly feed: ByteFeed
  readonly #decoding: Decoding<T>
  #failure: unknown
  #failed = false
  #result: { readonly value: T } | undefined

  constructor(what: string, grammar: (feed: ByteFeed) => Decoding<T>) {
    this.feed = new ByteFeed(what)
    this.#decoding = grammar(this.feed)
  }

  get done(): boolean {
    return this.#result !== undefined
  }

  /** @throws ProtocolError also when called before the end */
  get value(): T {
    if (this.#result === undefined) throw this.feed.fail('the data is not complete')
    return this.#result.value
  }

  /** Returns true once the grammar has reached its end; bytes beyond it stay in the feed. */
  push(chunk: Uint8Array): boolean {
    if (this.#failed) throw this.#failure
    this.feed.push(chunk)
    return this.#resume()
  }

  /** @throws ProtocolError if the grammar needs more */
  end(): T {
    if (this.#failed) throw this.#failure
    this.feed.end()
    if (!this.done) this.#resume()
    return this.value
  }

  #resume(): boolean {
    if (this.#result !== undefined) return true
    try {
      const step = this.#decoding.next()
      if (step.done === true) this.#result = { value: step.value }
    } catch (error) {
      this.#failed = true
      this.#failure = error
      throw error
    }
    return this.done
  }
}
