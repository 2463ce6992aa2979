/** Cuts an asynchronous sequence of chunks to the sizes the daemon asks for. Holds at most one chunk beside what it hands out. */
export class SourceReader {
  readonly #iterator: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)
  #ended = false

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]()
  }

  /**
   * As many bytes as `max` allows, which costs the fewest round trips; fewer only at the end, none after it. Splitting and joining chunks is
   * free to choose: the daemon sees one stream.
   */
  async read(max: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    let length = 0
    while (length < max) {
      if (this.#rest.length === 0 && !(await this.#refill())) break
      const piece = this.#rest.subarray(0, max - length)
      this.#rest = this.#rest.subarray(piece.length)
      length += piece.length
      pieces.push(piece)
    }
    const [first] = pieces
    return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces, length)
  }

  /** Lets the sequence clean up after itself, whether or not it was read to its end. Does not wait: the sequence may be stuck. */
  release(): void {
    if (this.#ended) return
    this.#ended = true
    this.#iterator.return?.().catch(() => undefined)
  }

  async #refill(): Promise<boolean> {
    while (!this.#ended && this.#rest.length === 0) {
      const next = await this.#iterator.next()
      if (next.done === true) this.#ended = true
      else this.#rest = next.value
    }
    return this.#rest.length > 0
  }
}
