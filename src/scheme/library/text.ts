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

const matching = (pattern: RegExp): CharSet => new CharSet((text) => pattern.test(text))
export const WHITESPACE = matching(/^[\p{Z}\t\n\v\f\r]$/u)
export const LETTER = matching(/^\p{L}$/u)
export const DIGIT = matching(/^\p{Nd}$/u)
export const GRAPHIC = matching(/^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u)

export const charSets: Readonly<Record<string, CharSet>> = {
  'char-set:whitespace': WHITESPACE,
  'char-set:letter': LETTER,
  'char-set:digit': DIGIT,
  'char-set:letter+digit': matching(/^[\p{L}\p{Nd}]$/u),
  'char-set:graphic': GRAPHIC,
  'char-set:printing': matching(/^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Z}\t\n\v\f\r]$/u),
  'char-set:punctuation': matching(/^\p{P}$/u),
  'char-set:symbol': matching(/^\p{S}$/u),
  'char-set:lower-case': matching(/^\p{Ll}$/u),
  'char-set:upper-case': matching(/^\p{Lu}$/u),
  'char-set:hex-digit': matching(/^[0-9a-fA-F]$/),
  'char-set:blank': matching(/^[\p{Zs}\t]$/u),
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
