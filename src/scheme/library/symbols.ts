/** Booleans, symbols, keywords, characters and equality of `(guile)`. */
import { isEqual, isEqv } from '../equality.js'
import { failed, WrongType } from '../throw.js'
import { Char, EOF, Keyword, Sym, UNSPECIFIED, character, intern, keyword, type Value } from '../value.js'
import { ANY, char, index, listOf, string, symbol, type Entry, type Table } from './check.js'
import { isEq } from './lists.js'
import { CharSet, DIGIT, LETTER, WHITESPACE, charSetOf, charSets } from './text.js'

const comparison = (holds: (a: number, b: number) => boolean, fold = false): Entry => [0, ANY, (_machine, ...args) => {
  const codes = args.map((arg, at) => (fold ? char(arg, at + 1).text.toLowerCase().codePointAt(0) ?? 0 : char(arg, at + 1).code))
  return codes.every((code, at) => at === 0 || holds(codes[at - 1] ?? 0, code))
}]
const member = (set: CharSet): Entry => [1, 1, (_machine, value) => set.contains(char(value, 1).text)]
const chained = (same: (a: Value, b: Value) => boolean): Entry => [0, ANY, (_machine, ...args) => args.every((arg, at) => at === 0 || same(args[at - 1] as Value, arg))]

let generated = 0

export const symbols: Table = {
  'eq?': chained(isEq),
  'eqv?': chained(isEqv),
  'equal?': chained((a, b) => isEqual(a, b)),
  not: [1, 1, (_machine, value) => value === false],
  'boolean?': [1, 1, (_machine, value) => typeof value === 'boolean'],
  'symbol?': [1, 1, (_machine, value) => value instanceof Sym],
  'symbol->string': [1, 1, (_machine, value) => symbol(value, 1).name],
  'string->symbol': [1, 1, (_machine, text) => intern(string(text, 1))],
  'symbol-append': [0, ANY, (_machine, ...all) => intern(all.map((part, at) => symbol(part, at + 1).name).join(''))],
  gensym: [0, 1, (_machine, prefix = ' g') => intern(`${string(prefix, 1)}${++generated}`)],
  'keyword?': [1, 1, (_machine, value) => value instanceof Keyword],
  'symbol->keyword': [1, 1, (_machine, value) => keyword(symbol(value, 1).name)],
  'keyword->symbol': [1, 1, (_machine, value) => {
    if (!(value instanceof Keyword)) throw new WrongType(1, value, 'keyword')
    return intern(value.name)
  }],
  'unspecified?': [1, 1, (_machine, value) => value === UNSPECIFIED],
  'eof-object?': [1, 1, (_machine, value) => value === EOF],
  'eof-object': [0, 0, () => EOF],
  'char?': [1, 1, (_machine, value) => value instanceof Char],
  'char->integer': [1, 1, (_machine, value) => BigInt(char(value, 1).code)],
  'integer->char': [1, 1, (_machine, value) => {
    const code = index(value, 1, 0x10ffff)
    if (code >= 0xd800 && code <= 0xdfff) throw failed('out-of-range', 'integer->char', 'Value out of range: ~S', [value], false)
    return character(code)
  }],
  'char-upcase': [1, 1, (_machine, value) => character(char(value, 1).text.toUpperCase().codePointAt(0) ?? 0)],
  'char-downcase': [1, 1, (_machine, value) => character(char(value, 1).text.toLowerCase().codePointAt(0) ?? 0)],
  'char=?': comparison((a, b) => a === b),
  'char<?': comparison((a, b) => a < b),
  'char>?': comparison((a, b) => a > b),
  'char<=?': comparison((a, b) => a <= b),
  'char>=?': comparison((a, b) => a >= b),
  'char-ci=?': comparison((a, b) => a === b, true),
  'char-alphabetic?': member(LETTER),
  'char-numeric?': member(DIGIT),
  'char-whitespace?': member(WHITESPACE),
  'char-upper-case?': member(charSets['char-set:upper-case'] as CharSet),
  'char-lower-case?': member(charSets['char-set:lower-case'] as CharSet),
  'char-set': [0, ANY, (_machine, ...all) => charSetOf(all.map((part, at) => char(part, at + 1).text).join(''), 1)],
  'char-set?': [1, 1, (_machine, value) => value instanceof CharSet],
  'string->char-set': [1, 1, (_machine, text) => charSetOf(string(text, 1), 1)],
  'list->char-set': [1, 1, (machine, from) => charSetOf(listOf(machine, from, 1).map((part) => char(part, 1).text).join(''), 1)],
  '->char-set': [1, 1, (_machine, value) => charSetOf(value, 1)],
  'char-set-contains?': [2, 2, (_machine, set, value) => charSetOf(set, 1).contains(char(value, 2).text)],
  'char-set-complement': [1, 1, (_machine, set) => {
    const inner = charSetOf(set, 1)
    return new CharSet((text) => !inner.contains(text))
  }],
  'char-set-union': [0, ANY, (_machine, ...sets) => {
    const all = sets.map((set, at) => charSetOf(set, at + 1))
    return new CharSet((text) => all.some((set) => set.contains(text)))
  }],
  'char-set-intersection': [0, ANY, (_machine, ...sets) => {
    const all = sets.map((set, at) => charSetOf(set, at + 1))
    return new CharSet((text) => all.every((set) => set.contains(text)))
  }],
  'char-set-adjoin': [1, ANY, (_machine, set, ...more) => {
    const inner = charSetOf(set, 1)
    const added = new Set(more.map((part, at) => char(part, at + 2)))
    return new CharSet((text) => inner.contains(text) || added.has(character(text.codePointAt(0) ?? 0)))
  }],
  'char-set-delete': [1, ANY, (_machine, set, ...more) => {
    const inner = charSetOf(set, 1)
    const removed = new Set(more.map((part, at) => char(part, at + 2)))
    return new CharSet((text) => inner.contains(text) && !removed.has(character(text.codePointAt(0) ?? 0)))
  }],
}
