/**
 * The values of a Scheme program.
 *
 * Exact integers are bigints, other exact numbers {@link Ratio}s, inexact ones JavaScript numbers; strings are JavaScript strings and so never change.
 * Everything else is an object of one of these classes. `undefined` is never a value: it marks a variable that has none yet.
 */
import type { Location } from '../plugin-api/index.js'

export type Place = Location

export abstract class SchemeObject {
  /** What messages call it. */
  abstract readonly type: string
}

export type Value = string | bigint | number | boolean | SchemeObject

export class Pair extends SchemeObject {
  car: Value
  cdr: Value
  constructor(car: Value, cdr: Value) {
    super()
    this.car = car
    this.cdr = cdr
  }
  get type(): string { return 'pair' }
}

/** A pair that was read from a file. `start` is the place of the list's bracket (only on its first pair), `item` that of the car. */
export class SourcePair extends Pair {
  readonly start: Place | undefined
  readonly item: Place
  constructor(car: Value, cdr: Value, start: Place | undefined, item: Place) {
    super(car, cdr)
    this.start = start
    this.item = item
  }
}

class Singleton extends SchemeObject {
  readonly type: string
  constructor(type: string) {
    super()
    this.type = type
  }
}
export const NIL: Singleton = new Singleton('()')
export const UNSPECIFIED: Singleton = new Singleton('#<unspecified>')
export const EOF: Singleton = new Singleton('#<eof>')
/** What an optional argument without default and value holds, and what `(if #f #f)` is not. */
export const DEFAULT: Singleton = new Singleton('#<default>')

export class Sym extends SchemeObject {
  readonly name: string
  constructor(name: string) {
    super()
    this.name = name
  }
  get type(): string { return 'symbol' }
}
const symbols = new Map<string, Sym>()
export function intern(name: string): Sym {
  let symbol = symbols.get(name)
  if (symbol === undefined) symbols.set(name, symbol = new Sym(name))
  return symbol
}

export class Keyword extends SchemeObject {
  readonly name: string
  constructor(name: string) {
    super()
    this.name = name
  }
  get type(): string { return 'keyword' }
}
const keywords = new Map<string, Keyword>()
export function keyword(name: string): Keyword {
  let found = keywords.get(name)
  if (found === undefined) keywords.set(name, found = new Keyword(name))
  return found
}

/** A character; one object per code point, so that they can be compared with `===`. */
export class Char extends SchemeObject {
  readonly code: number
  constructor(code: number) {
    super()
    this.code = code
  }
  get type(): string { return 'char' }
  get text(): string { return String.fromCodePoint(this.code) }
}
const characters = new Map<number, Char>()
export function character(code: number): Char {
  let char = characters.get(code)
  if (char === undefined) characters.set(code, char = new Char(code))
  return char
}

export class Vector extends SchemeObject {
  readonly items: Value[]
  constructor(items: Value[]) {
    super()
    this.items = items
  }
  get type(): string { return 'vector' }
}

/** An exact number that is no integer: lowest terms, denominator > 1. */
export class Ratio extends SchemeObject {
  readonly numerator: bigint
  readonly denominator: bigint
  constructor(numerator: bigint, denominator: bigint) {
    super()
    this.numerator = numerator
    this.denominator = denominator
  }
  get type(): string { return 'number' }
}

export class MultipleValues extends SchemeObject {
  readonly items: readonly Value[]
  constructor(items: readonly Value[]) {
    super()
    this.items = items
  }
  get type(): string { return 'values' }
}

/** The values that `values` gave; one value is just that. */
export const valuesOf = (value: Value): readonly Value[] => (value instanceof MultipleValues ? value.items : [value])
export const asValues = (found: readonly Value[]): Value => (found.length === 1 ? found[0] as Value : new MultipleValues(found))

/** What `throw` and `error` make: a key and a list of arguments. `raise` can raise any value besides. */
export class Exception extends SchemeObject {
  readonly key: Sym
  readonly args: Value
  constructor(key: Sym, args: Value) {
    super()
    this.key = key
    this.args = args
  }
  get type(): string { return 'exception' }
}

export class RecordType extends SchemeObject {
  readonly name: string
  readonly fields: readonly string[]
  constructor(name: string, fields: readonly string[]) {
    super()
    this.name = name
    this.fields = fields
  }
  get type(): string { return 'record-type' }
}

export class RecordInstance extends SchemeObject {
  readonly recordType: RecordType
  readonly values: Value[]
  /** Where it was made, and where each field was given, for records of the Guix kind. */
  readonly origin: { readonly place: Place; readonly given: ReadonlyMap<string, Place> } | undefined
  constructor(recordType: RecordType, values: Value[], origin?: { readonly place: Place; readonly given: ReadonlyMap<string, Place> }) {
    super()
    this.recordType = recordType
    this.values = values
    this.origin = origin
  }
  get type(): string { return this.recordType.name }
}

/** Builds a list; `tail` ends it. */
export function list(items: readonly Value[], tail: Value = NIL): Value {
  let result = tail
  for (let index = items.length - 1; index >= 0; index--) result = new Pair(items[index] as Value, result)
  return result
}

/** The items of a proper list; undefined if it is not one. A cycle counts as not proper. */
export function items(value: Value): Value[] | undefined {
  const found: Value[] = []
  let slow = value
  while (value instanceof Pair) {
    found.push(value.car)
    value = value.cdr
    if (found.length % 2 === 0) {
      slow = (slow as Pair).cdr
      if (slow === value && value instanceof Pair) return undefined
    }
  }
  return value === NIL ? found : undefined
}
