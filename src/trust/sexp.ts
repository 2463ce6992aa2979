import { ConfigurationError, TrustError } from '../errors/offload-error.js'
import type { OffloadError } from '../errors/offload-error.js'

/**
 * S-expressions as libgcrypt writes and reads them (after R. Rivest's "S-Expressions", 1997): lists of lists and of octet strings. An octet
 * string has no type; `token`, `"quoted"`, `#HEX#`, `|base64|` and `4:data` are only ways to write one, so two expressions are the same if and
 * only if their canonical forms are (`print-sexp.ts`).
 */
export type Sexp = SexpAtom | SexpList

export interface SexpAtom {
  readonly kind: 'atom'
  readonly bytes: Buffer
  /** Where it was read, in bytes from the start; 0 for one that was made. */
  readonly offset: number
}

export interface SexpList {
  readonly kind: 'list'
  readonly items: readonly Sexp[]
  readonly offset: number
}

/** What is being read, for error messages. */
export interface SexpOrigin {
  /** File name or other noun. */
  readonly name: string
  readonly step: string
  readonly code: string
  /** Whose fault a mistake in it is. */
  readonly fault: 'configuration' | 'trust'
  readonly machine?: string | undefined
  readonly cure?: string | undefined
}

/** An expression together with where it came from, so that whoever interprets it can say where it is wrong. */
export class SexpDocument {
  constructor(readonly root: Sexp, readonly source: Buffer, readonly origin: SexpOrigin) {}

  /** Makes the error; it quotes nothing of the source, which may be a secret key. */
  fail(problem: string, at: Sexp, details: { expected?: string; seen?: string } = {}): OffloadError {
    return sexpError(this.origin, this.source, at.offset, problem, details)
  }

  /** The list's head if that is a token. */
  static head(sexp: Sexp | undefined): string | undefined {
    return sexp?.kind === 'list' && sexp.items[0]?.kind === 'atom' ? sexp.items[0].bytes.toString('latin1') : undefined
  }

  /** The items of a list that must start with `head`. */
  expectList(sexp: Sexp, head: string): readonly Sexp[] {
    if (sexp.kind !== 'list' || SexpDocument.head(sexp) !== head) throw this.fail('unexpected expression', sexp, { expected: `(${head} …)` })
    return sexp.items.slice(1)
  }

  /** The one list of `items` that starts with `head`. */
  expectOne(items: readonly Sexp[], head: string, parent: Sexp): SexpList {
    const found = items.filter((item): item is SexpList => SexpDocument.head(item) === head)
    const [first, second] = found
    if (first === undefined) throw this.fail(`(${head} …) is missing`, parent)
    if (second !== undefined) throw this.fail(`(${head} …) is there twice`, second)
    return first
  }

  /** The rest of `(head …)`, which must be lists with these heads and nothing else, in any order. */
  expectFields(sexp: Sexp, head: string, names: readonly string[]): readonly Sexp[] {
    const items = this.expectList(sexp, head)
    if (items.length !== names.length) {
      throw this.fail(`(${head} …) has the wrong number of parts`, sexp, { expected: `${names.length}`, seen: `${items.length}` })
    }
    for (const name of names) this.expectOne(items, name, sexp)
    return items
  }

  /** The bytes of `(head BYTES)`. */
  expectBytes(items: readonly Sexp[], head: string, parent: Sexp): Buffer {
    const found = this.expectOne(items, head, parent)
    const value = found.items[1]
    if (found.items.length !== 2 || value?.kind !== 'atom') throw this.fail(`(${head} …) has to hold one octet string`, found)
    return value.bytes
  }
}

export function sexpError(
  origin: SexpOrigin, source: Buffer, offset: number, problem: string, details: { expected?: string; seen?: string } = {},
): OffloadError {
  const before = source.subarray(0, offset)
  const line = before.reduce((count, byte) => (byte === 0x0a ? count + 1 : count), 1)
  const column = offset - before.lastIndexOf(0x0a)
  const report = {
    code: origin.code, step: origin.step, problem, ...details, subject: `${origin.name}:${line}:${column}`, machine: origin.machine, cure: origin.cure,
  }
  return origin.fault === 'configuration' ? new ConfigurationError(report) : new TrustError(report)
}

/** An octet string; text is taken as Latin-1, one byte a character. */
export function atom(value: Uint8Array | string): SexpAtom {
  return { kind: 'atom', bytes: typeof value === 'string' ? Buffer.from(value, 'latin1') : Buffer.from(value), offset: 0 }
}

export function list(...items: readonly (Sexp | Uint8Array | string)[]): SexpList {
  return {
    kind: 'list',
    items: items.map((item) => (typeof item === 'string' || item instanceof Uint8Array ? atom(item) : item)),
    offset: 0,
  }
}
