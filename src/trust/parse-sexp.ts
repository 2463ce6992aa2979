import type { OffloadError } from '../errors/offload-error.js'
import { SexpDocument, sexpError } from './sexp.js'
import type { Sexp, SexpOrigin } from './sexp.js'

/**
 * Reads one s-expression in libgcrypt's advanced or canonical form, or a mixture, from bytes (or Latin-1 text).
 *
 *     expression = atom | "(" expression* ")"            with white space anywhere between
 *     atom       = token | LENGTH ":" bytes | [LENGTH] ( '"' text '"' | "#" hex "#" | "|" base64 "|" )
 *
 * As strict as libgcrypt: even number of hexadecimal digits, only its escapes, no display hints, no reserved punctuation. Stricter: a length
 * before a quoted, hexadecimal or base64 atom has to be right, and nothing may follow the expression. More lenient: `0:`, and white space in base64.
 * Limits: {@link maxSourceBytes}, {@link maxDepth}, {@link maxAtomBytes}, {@link maxExpressions}. No error quotes the source.
 */
export const maxSourceBytes = 4 * 1024 * 1024
export const maxDepth = 32
/** libgcrypt's own. */
export const maxAtomBytes = 65_535
export const maxExpressions = 200_000

const tokenStart = /[A-Za-z\-./_:*+=]/
const tokenPart = /[A-Za-z0-9\-./_:*+=]/
const whiteSpace = /[ \t\v\f\r\n]/
const simpleEscapes: Readonly<Record<string, string>> = { b: '\b', t: '\t', v: '\v', n: '\n', f: '\f', r: '\r', '"': '"', '\'': '\'', '\\': '\\' }

/** @throws ConfigurationError or TrustError, as the origin says, with line and column */
export function parseSexp(source: Uint8Array | string, origin: SexpOrigin): SexpDocument {
  const bytes = typeof source === 'string' ? Buffer.from(source, 'latin1') : Buffer.from(source.buffer, source.byteOffset, source.byteLength)
  if (bytes.length > maxSourceBytes) {
    throw sexpError(origin, Buffer.alloc(0), 0, 'too long', { expected: `at most ${maxSourceBytes} bytes`, seen: `${bytes.length} bytes` })
  }
  const outside = typeof source === 'string' ? /[^\0-\xff]/.exec(source) : null
  if (outside !== null) throw sexpError(origin, bytes, outside.index, 'a character that is not a byte')
  const reader = new Reader(bytes, origin)
  return new SexpDocument(reader.document(), bytes, origin)
}

class Reader {
  readonly #text: string
  #at = 0
  #count = 0

  constructor(readonly bytes: Buffer, readonly origin: SexpOrigin) {
    this.#text = bytes.toString('latin1')
  }

  document(): Sexp {
    this.#skipWhiteSpace()
    const root = this.#expression(0)
    this.#skipWhiteSpace()
    if (this.#at < this.#text.length) throw this.#fail('something follows the end of the expression')
    return root
  }

  #fail(problem: string, at = this.#at): OffloadError {
    return sexpError(this.origin, this.bytes, at, problem)
  }

  /** The next character; empty at the end. */
  #next(): string {
    return this.#text.charAt(this.#at)
  }

  #skipWhiteSpace(): void {
    while (whiteSpace.test(this.#next())) this.#at += 1
  }

  #expression(depth: number): Sexp {
    const offset = this.#at
    this.#count += 1
    if (this.#count > maxExpressions) throw this.#fail(`more than ${maxExpressions} expressions`)
    if (this.#next() === '') throw this.#fail('the data ends in the middle of an expression')
    if (this.#next() !== '(') {
      const bytes = this.#atom()
      if (bytes.length > maxAtomBytes) throw this.#fail(`an octet string of more than ${maxAtomBytes} bytes`, offset)
      return { kind: 'atom', bytes, offset }
    }
    if (depth >= maxDepth) throw this.#fail(`more than ${maxDepth} lists inside each other`)
    this.#at += 1
    const items: Sexp[] = []
    for (this.#skipWhiteSpace(); this.#next() !== ')'; this.#skipWhiteSpace()) items.push(this.#expression(depth + 1))
    this.#at += 1
    return { kind: 'list', items, offset }
  }

  #atom(): Buffer {
    const start = this.#at
    const length = /[0-9]/.test(this.#next()) ? this.#length() : undefined
    if (length !== undefined && this.#next() === ':') {
      const from = this.#at + 1
      if (length > this.bytes.length - from) throw this.#fail('an octet string is longer than the data', start)
      this.#at = from + length
      return Buffer.from(this.bytes.subarray(from, this.#at))
    }
    if (length === undefined && tokenStart.test(this.#next())) return this.#token()
    const bytes = this.#delimited()
    if (length !== undefined && length !== bytes.length) throw this.#fail('the length given for an octet string is not its length', start)
    return bytes
  }

  #length(): number {
    const start = this.#at
    while (/[0-9]/.test(this.#next())) this.#at += 1
    const digits = this.#text.slice(start, this.#at)
    if (digits.length > 1 && digits.startsWith('0')) throw this.#fail('a length with a leading zero', start)
    const length = Number(digits)
    if (length > maxAtomBytes) throw this.#fail(`an octet string of more than ${maxAtomBytes} bytes`, start)
    return length
  }

  #token(): Buffer {
    const start = this.#at
    while (tokenPart.test(this.#next())) this.#at += 1
    return Buffer.from(this.bytes.subarray(start, this.#at))
  }

  #delimited(): Buffer {
    switch (this.#next()) {
      case '"': return this.#quoted()
      case '#': return Buffer.from(this.#until('#', /^[0-9A-Fa-f]*$/, 2, 'hexadecimal digits'), 'hex')
      case '|': return this.#base64()
      default: throw this.#fail('a character that starts no expression')
    }
  }

  /** The text up to the next `end`, without white space. */
  #until(end: string, allowed: RegExp, multiple: number, noun: string): string {
    const start = this.#at
    const close = this.#text.indexOf(end, start + 1)
    if (close < 0) throw this.#fail(`${noun} without end`, start)
    const text = this.#text.slice(start + 1, close).replace(/[ \t\v\f\r\n]+/g, '')
    if (!allowed.test(text)) throw this.#fail(`something else among ${noun}`, start)
    if (text.length % multiple !== 0) throw this.#fail(`the number of ${noun} is no multiple of ${multiple}`, start)
    this.#at = close + 1
    return text
  }

  #base64(): Buffer {
    const start = this.#at
    const text = this.#until('|', /^[A-Za-z0-9+/]*={0,2}$/, 4, 'base64 digits')
    const bytes = Buffer.from(text, 'base64')
    if (bytes.toString('base64') !== text) throw this.#fail('base64 with bits left over', start)
    return bytes
  }

  #quoted(): Buffer {
    const start = this.#at
    const parts: string[] = []
    this.#at += 1
    for (;;) {
      const run = this.#at
      while (this.#next() !== '"' && this.#next() !== '\\' && this.#next() !== '') this.#at += 1
      parts.push(this.#text.slice(run, this.#at))
      if (this.#next() === '') throw this.#fail('a quoted string without end', start)
      this.#at += 1
      if (this.#text.charAt(this.#at - 1) === '"') return Buffer.from(parts.join(''), 'latin1')
      parts.push(this.#escape())
    }
  }

  #escape(): string {
    const rest = this.#text.slice(this.#at, this.#at + 3)
    const newline = /^(\r\n?|\n\r?)/.exec(rest)?.[0]
    const number = /^[0-3][0-7]{2}|^x[0-9A-Fa-f]{2}/.exec(rest)?.[0]
    const simple = simpleEscapes[rest.charAt(0)]
    if (newline !== undefined) {
      this.#at += newline.length
      return ''
    }
    if (number !== undefined) {
      this.#at += 3
      return String.fromCharCode(number.startsWith('x') ? Number.parseInt(number.slice(1), 16) : Number.parseInt(number, 8))
    }
    if (simple === undefined) throw this.#fail('an escape that is not known', this.#at - 1)
    this.#at += 1
    return simple
  }
}
