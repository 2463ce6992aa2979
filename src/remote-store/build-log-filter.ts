/**
 * Takes the builder's output out of what `guix build` prints on stderr: the lines of its own in front, among them `building DRV...`, and those behind. No builder
 * knows the name of its own derivation, so it cannot print these marks. What a builder prints reaches us as `guix build` renders it: as UTF-8, with U+FFFD for what is none,
 * and lines that look like the daemon's trace (`@ download-…`) in words of its own. Nothing is held back but what may be the start of a mark.
 */
export class BuildLogFilter {
  readonly #start: Buffer
  readonly #ends: readonly Buffer[]
  #state: 'before' | 'log' | 'after' = 'before'
  #held: Buffer = Buffer.alloc(0)
  #before: Buffer = Buffer.alloc(0)
  #after: Buffer = Buffer.alloc(0)

  constructor(derivation: string) {
    this.#start = Buffer.from(`building ${derivation}...\n`)
    // The trace shows where the builder's last line has no end: guix does not see then that it is one.
    this.#ends = [`successfully built ${derivation}\n`, `build of ${derivation} failed\n`, `@ build-succeeded ${derivation} `, `@ build-failed ${derivation} `].map(
      (mark) => Buffer.from(mark),
    )
  }

  /** What guix said besides, without the log. */
  get complaint(): string {
    return Buffer.concat([this.#before, Buffer.from('\n'), this.#after]).toString('utf8')
  }

  /** What of the log is complete with these bytes. */
  push(bytes: Uint8Array): Buffer {
    if (this.#state === 'after') {
      this.#after = tail(this.#after, bytes)
      return Buffer.alloc(0)
    }
    const text = Buffer.concat([this.#held, bytes])
    this.#held = Buffer.alloc(0)
    return this.#state === 'before' ? this.#pushBefore(text) : this.#pushLog(text)
  }

  /** What was held back. */
  end(): Buffer {
    const rest = this.#held
    this.#held = Buffer.alloc(0)
    if (this.#state !== 'before') return rest
    this.#before = tail(this.#before, rest)
    return Buffer.alloc(0)
  }

  #pushBefore(text: Buffer): Buffer {
    const at = text.indexOf(this.#start)
    if (at === -1) {
      const held = heldBack(text, [this.#start])
      this.#before = tail(this.#before, text.subarray(0, text.length - held))
      this.#held = text.subarray(text.length - held)
      return Buffer.alloc(0)
    }
    this.#before = tail(this.#before, text.subarray(0, at))
    this.#state = 'log'
    return this.#pushLog(text.subarray(at + this.#start.length))
  }

  #pushLog(text: Buffer): Buffer {
    const found = this.#ends.map((mark) => text.indexOf(mark)).filter((at) => at !== -1)
    if (found.length > 0) {
      const at = Math.min(...found)
      this.#state = 'after'
      this.#after = tail(this.#after, text.subarray(at))
      return text.subarray(0, at)
    }
    const held = heldBack(text, this.#ends)
    this.#held = text.subarray(text.length - held)
    return text.subarray(0, text.length - held)
  }
}

const kept = 16 * 1024

function tail(old: Buffer, bytes: Uint8Array): Buffer {
  return Buffer.concat([old, bytes]).subarray(-kept)
}

/** Length of the longest end of `text` that is the beginning of a mark. */
function heldBack(text: Buffer, marks: readonly Buffer[]): number {
  let longest = 0
  for (const mark of marks) {
    for (let length = Math.min(mark.length - 1, text.length); length > longest; length -= 1) {
      if (text.subarray(text.length - length).equals(mark.subarray(0, length))) longest = length
    }
  }
  return longest
}
