/** Strings by code point, as Scheme counts them, and sets of characters. */
import { call, type Call, type Evaluation } from '../execution.js'
import { failed, WrongType } from '../throw.js'
import { Char, SchemeObject, character, type Value } from '../value.js'
import { index } from './check.js'

const SURROGATE = /[\ud800-\udfff]/

/** The characters of a string. */
export function points(text: string): string[] {
  return SURROGATE.test(text) ? Array.from(text) : text.split('')
}

export function lengthOf(text: string): number {
  return SURROGATE.test(text) ? Array.from(text).length : text.length
}

export function slice(text: string, start: number, end: number): string {
  return SURROGATE.test(text) ? Array.from(text).slice(start, end).join('') : text.slice(start, end)
}

export const charOf = (text: string): Char => character(text.codePointAt(0) ?? 0)

/** The optional `start` and `end` of the string procedures, checked. */
export function range(text: string, start: Value | undefined, end: Value | undefined, position: number): { start: number; end: number } {
  const length = lengthOf(text)
  const to = end === undefined ? length : bound(end, position + 1, length, 0)
  return { start: start === undefined ? 0 : bound(start, position, to, 0), end: to }
}

function bound(value: Value, position: number, most: number, least: number): number {
  const found = index(value, position, Number.MAX_SAFE_INTEGER)
  if (found > most || found < least) throw failed('out-of-range', false, 'Value out of range ~S to ~S: ~S', [BigInt(least), BigInt(most), value], false)
  return found
}

export class CharSet extends SchemeObject {
  readonly contains: (text: string) => boolean
  constructor(contains: (text: string) => boolean) {
    super()
    this.contains = contains
  }
  get type(): string { return 'char-set' }
}

/** Classes of Unicode's are read when a set is first asked: that takes longer than all the rest of this library's start. */
function matching(source: string): CharSet {
  let pattern: RegExp | undefined
  return new CharSet((text) => (pattern ??= new RegExp(`^${source}$`, 'u')).test(text))
}
export const WHITESPACE = matching(String.raw`[\p{Z}\t\n\v\f\r]`)
export const LETTER = matching(String.raw`\p{L}`)
export const DIGIT = matching(String.raw`\p{Nd}`)
export const GRAPHIC = matching(String.raw`[\p{L}\p{M}\p{N}\p{P}\p{S}]`)

export const charSets: Readonly<Record<string, CharSet>> = {
  'char-set:whitespace': WHITESPACE,
  'char-set:letter': LETTER,
  'char-set:digit': DIGIT,
  'char-set:letter+digit': matching(String.raw`[\p{L}\p{Nd}]`),
  'char-set:graphic': GRAPHIC,
  'char-set:printing': matching(String.raw`[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Z}\t\n\v\f\r]`),
  'char-set:punctuation': matching(String.raw`\p{P}`),
  'char-set:symbol': matching(String.raw`\p{S}`),
  'char-set:lower-case': matching(String.raw`\p{Ll}`),
  'char-set:upper-case': matching(String.raw`\p{Lu}`),
  'char-set:hex-digit': matching(String.raw`[0-9a-fA-F]`),
  'char-set:blank': matching(String.raw`[\p{Zs}\t]`),
  'char-set:ascii': new CharSet((text) => (text.codePointAt(0) ?? 128) < 128),
  'char-set:empty': new CharSet(() => false),
  'char-set:full': new CharSet(() => true),
}

/** Does a character satisfy what the caller gave: a character, a set or a predicate? */
export function* holds(wanted: Value, text: string): Generator<Call | Evaluation, boolean, Value> {
  if (wanted instanceof Char) return wanted.text === text
  if (wanted instanceof CharSet) return wanted.contains(text)
  return (yield call(wanted, charOf(text))) !== false
}

/** A set out of a set, a character or a string. */
export function charSetOf(value: Value, position: number): CharSet {
  if (value instanceof CharSet) return value
  if (value instanceof Char) return new CharSet((text) => text === value.text)
  if (typeof value === 'string') {
    const members = new Set(points(value))
    return new CharSet((text) => members.has(text))
  }
  throw new WrongType(position, value, 'char-set')
}
