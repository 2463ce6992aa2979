/** Strings of `(guile)`, which are those of SRFI 13. Strings never change here: the procedures that change them are left to real Guile. */
import { call, type Behaviour, type Process } from '../execution.js'
import { failed, WrongType } from '../throw.js'
import { UNSPECIFIED, intern, list, type Value } from '../value.js'
import { ANY, MAXIMUM_LENGTH, char, index, listOf, process, string, symbol, type Entry, type Table } from './check.js'
import { GRAPHIC, WHITESPACE, charOf, holds, lengthOf, points, range, slice } from './text.js'

const comparison = (holdsFor: (a: string, b: string) => boolean, fold = false): Entry => [0, ANY, (_machine, ...args) => {
  const all = args.map((arg, at) => (fold ? string(arg, at + 1).toLowerCase() : string(arg, at + 1)))
  return all.every((right, at) => at === 0 || holdsFor(all[at - 1] ?? '', right))
}]

/** By code point, not by UTF-16 unit. */
function compareStrings(a: string, b: string): number {
  if (a === b) return 0
  const left = points(a)
  const right = points(b)
  for (let at = 0; at < left.length && at < right.length; at++) {
    const order = (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? 0)
    if (order !== 0) return order
  }
  return left.length - right.length
}

function joined(parts: readonly string[]): string {
  let length = 0
  for (const part of parts) length += part.length
  if (length > MAXIMUM_LENGTH) throw failed('out-of-range', 'string-append', 'Result is too large', [], false)
  return parts.join('')
}

/** The part of a string between optional bounds, as the body of many procedures. */
const ranged = (run: (text: string) => Value): Entry => [1, 3, (_machine, text, start, end) => {
  const whole = string(text, 1)
  const { start: from, end: to } = range(whole, start, end, 2)
  return run(slice(whole, from, to))
}]

/** Changes the part between the bounds, keeps the rest. */
const recased = (run: (text: string) => string): Entry => [1, 3, (_machine, text, start, end) => {
  const whole = string(text, 1)
  const { start: from, end: to } = range(whole, start, end, 2)
  return slice(whole, 0, from) + run(slice(whole, from, to)) + slice(whole, to, lengthOf(whole))
}]

type Search = (parts: readonly string[], wanted: Value, offset: number) => Process

/** `(name string wanted [start end])`. */
const searching = (search: Search): Entry => [2, 4, process(function* (_machine, text, wanted, start, end) {
  const whole = string(text, 1)
  const { start: from, end: to } = range(whole, start, end, 3)
  return yield* search(points(slice(whole, from, to)), wanted, from)
})]

const locate = (backwards: boolean, until: boolean): Search => function* (parts, wanted, offset) {
  for (let step = 0; step < parts.length; step++) {
    const at = backwards ? parts.length - 1 - step : step
    if ((yield* holds(wanted, parts[at] ?? '')) === until) return BigInt(at + offset)
  }
  return false
}

/** Characters off the left, the right or both ends; white space unless said otherwise. */
const trimming = (left: boolean, right: boolean): Entry => [1, 4, process(function* (_machine, text, wanted, start, end) {
  const whole = string(text, 1)
  const { start: from, end: to } = range(whole, start, end, 3)
  const parts = points(slice(whole, from, to))
  let first = 0
  let last = parts.length
  while (left && first < last && (yield* holds(wanted ?? WHITESPACE, parts[first] ?? ''))) first++
  while (right && last > first && (yield* holds(wanted ?? WHITESPACE, parts[last - 1] ?? ''))) last--
  return parts.slice(first, last).join('')
})]

const keeping = (keep: boolean): Entry => [2, 4, process(function* (_machine, first, second, start, end) {
  // Both orders of the arguments are in use: (string-filter predicate string) now, (string-filter string predicate) once.
  const [wanted, text] = typeof first === 'string' ? [second, first] : [first as Value, string(second, 2)]
  const { start: from, end: to } = range(text, start, end, 3)
  const found: string[] = []
  for (const part of points(slice(text, from, to))) if ((yield* holds(wanted, part)) === keep) found.push(part)
  return found.join('')
})]

const prefix = (test: (whole: string, part: string) => boolean, fold: boolean): Entry => [2, 6, (_machine, part, whole, start1, end1, start2, end2) => {
  const one = string(part, 1)
  const two = string(whole, 2)
  const a = range(one, start1, end1, 3)
  const b = range(two, start2, end2, 5)
  const [x, y] = [slice(one, a.start, a.end), slice(two, b.start, b.end)]
  return fold ? test(y.toLowerCase(), x.toLowerCase()) : test(y, x)
}]

const contains = (fold: boolean): Entry => [2, 6, (_machine, whole, part, start1, end1, start2, end2) => {
  const one = string(whole, 1)
  const two = string(part, 2)
  const a = range(one, start1, end1, 3)
  const b = range(two, start2, end2, 5)
  const [x, y] = [slice(one, a.start, a.end), slice(two, b.start, b.end)]
  const at = fold ? x.toLowerCase().indexOf(y.toLowerCase()) : x.indexOf(y)
  return at < 0 ? false : BigInt(lengthOf(x.slice(0, at)) + a.start)
}]

const pad = (right: boolean): Entry => [2, 5, (_machine, text, width, fill, start, end) => {
  const whole = string(text, 1)
  const wanted = index(width, 2)
  const { start: from, end: to } = range(whole, start, end, 4)
  const parts = points(slice(whole, from, to))
  const blank = Array.from({ length: Math.max(0, wanted - parts.length) }, () => (fill === undefined ? ' ' : char(fill, 3).text))
  return (right ? [...parts.slice(0, wanted), ...blank] : [...blank, ...parts.slice(Math.max(0, parts.length - wanted))]).join('')
}]

const take = (run: (parts: string[], count: number) => string[]): Entry => [2, 2, (_machine, text, count) => {
  const parts = points(string(text, 1))
  return run(parts, index(count, 2, parts.length)).join('')
}]

const capitalized = (text: string): string => text.toLowerCase().replace(/\p{L}+/gu, (word) => word[0]?.toUpperCase() + word.slice(1))

/** `(any|every predicate string)`: the last value. */
const quantified = (every: boolean): Behaviour => process(function* (_machine, wanted, text, start, end) {
  const whole = string(text, 2)
  const { start: from, end: to } = range(whole, start, end, 3)
  let result: Value = every
  for (const part of points(slice(whole, from, to))) {
    result = typeof wanted === 'object' && 'name' in wanted ? yield call(wanted, charOf(part)) : yield* holds(wanted, part)
    if ((result === false) === every) return result
  }
  return every ? result : false
})

function join(machine: Parameters<Behaviour>[0], from: Value, delimiter: Value = ' ', grammar: Value = intern('infix')): Value {
  const parts = listOf(machine, from, 1).map((part) => string(part, 1))
  const between = string(delimiter, 2)
  switch (symbol(grammar, 3).name) {
    case 'infix': return joined([parts.join(between)])
    case 'strict-infix':
      if (parts.length === 0) throw failed('misc-error', 'string-join', 'strict-infix with no strings', [])
      return parts.join(between)
    case 'suffix': return joined(parts.map((part) => part + between))
    case 'prefix': return joined(parts.map((part) => between + part))
    default: throw new WrongType(3, grammar)
  }
}

export const strings: Table = {
  'string?': [1, 1, (_machine, value) => typeof value === 'string'],
  'string-null?': [1, 1, (_machine, text) => string(text, 1) === ''],
  string: [0, ANY, (_machine, ...all) => all.map((part, at) => char(part, at + 1).text).join('')],
  'make-string': [1, 2, (machine, count, fill) => {
    const length = index(count, 1)
    machine.charge(length >> 6)
    return (fill === undefined ? ' ' : char(fill, 2).text).repeat(length)
  }],
  'string-length': [1, 1, (_machine, text) => BigInt(lengthOf(string(text, 1)))],
  'string-ref': [2, 2, (_machine, text, at) => {
    const parts = points(string(text, 1))
    return charOf(parts[index(at, 2, parts.length - 1)] ?? '')
  }],
  substring: [2, 3, (_machine, text, start, end) => {
    const whole = string(text, 1)
    const { start: from, end: to } = range(whole, start, end, 2)
    return slice(whole, from, to)
  }],
  'string-copy': ranged((text) => text),
  'string-append': [0, ANY, (machine, ...parts) => {
    const result = joined(parts.map((part, at) => string(part, at + 1)))
    machine.charge(result.length >> 10)
    return result
  }],
  'string-concatenate': [1, 1, (machine, from) => joined(listOf(machine, from, 1).map((part) => string(part, 1)))],
  'string-join': [1, 3, join],
  'string-split': [2, 2, process(function* (_machine, text, wanted) {
    const found: string[] = []
    let current = ''
    for (const part of points(string(text, 1))) {
      if (yield* holds(wanted, part)) {
        found.push(current)
        current = ''
      } else current += part
    }
    return list([...found, current])
  })],
  'string-tokenize': [1, 4, process(function* (_machine, text, wanted, start, end) {
    const whole = string(text, 1)
    const { start: from, end: to } = range(whole, start, end, 3)
    const found: string[] = []
    let current = ''
    for (const part of points(slice(whole, from, to))) {
      if (yield* holds(wanted ?? GRAPHIC, part)) current += part
      else if (current !== '') {
        found.push(current)
        current = ''
      }
    }
    return list(current === '' ? found : [...found, current])
  })],
  'string->list': ranged((text) => list(points(text).map(charOf))),
  'list->string': [1, 1, (machine, from) => listOf(machine, from, 1).map((part) => char(part, 1).text).join('')],
  'reverse-list->string': [1, 1, (machine, from) => listOf(machine, from, 1).reverse().map((part) => char(part, 1).text).join('')],
  'string-reverse': recased((text) => points(text).reverse().join('')),
  'string-upcase': recased((text) => points(text).map((part) => (part.toUpperCase().length === part.length ? part.toUpperCase() : part)).join('')),
  'string-downcase': recased((text) => text.toLowerCase()),
  'string-titlecase': recased(capitalized),
  'string-capitalize': [1, 1, (_machine, text) => capitalized(string(text, 1))],
  'string=?': comparison((a, b) => a === b),
  'string<?': comparison((a, b) => compareStrings(a, b) < 0),
  'string>?': comparison((a, b) => compareStrings(a, b) > 0),
  'string<=?': comparison((a, b) => compareStrings(a, b) <= 0),
  'string>=?': comparison((a, b) => compareStrings(a, b) >= 0),
  'string-ci=?': comparison((a, b) => a === b, true),
  'string-ci<?': comparison((a, b) => compareStrings(a, b) < 0, true),
  'string-ci>?': comparison((a, b) => compareStrings(a, b) > 0, true),
  'string-prefix?': prefix((whole, part) => whole.startsWith(part), false),
  'string-suffix?': prefix((whole, part) => whole.endsWith(part), false),
  'string-prefix-ci?': prefix((whole, part) => whole.startsWith(part), true),
  'string-suffix-ci?': prefix((whole, part) => whole.endsWith(part), true),
  'string-contains': contains(false),
  'string-contains-ci': contains(true),
  'string-index': searching(locate(false, true)),
  'string-rindex': searching(locate(true, true)),
  'string-index-right': searching(locate(true, true)),
  'string-skip': searching(locate(false, false)),
  'string-skip-right': searching(locate(true, false)),
  'string-count': searching(function* (parts, wanted) {
    let count = 0n
    for (const part of parts) if (yield* holds(wanted, part)) count++
    return count
  }),
  'string-trim': trimming(true, false),
  'string-trim-right': trimming(false, true),
  'string-trim-both': trimming(true, true),
  'string-filter': keeping(true),
  'string-delete': keeping(false),
  'string-pad': pad(false),
  'string-pad-right': pad(true),
  'string-take': take((parts, count) => parts.slice(0, count)),
  'string-drop': take((parts, count) => parts.slice(count)),
  'string-take-right': take((parts, count) => parts.slice(parts.length - count)),
  'string-drop-right': take((parts, count) => parts.slice(0, parts.length - count)),
  'string-replace': [2, 6, (_machine, whole, part, start1, end1, start2, end2) => {
    const [one, two] = [string(whole, 1), string(part, 2)]
    const a = range(one, start1, end1, 3)
    const b = range(two, start2, end2, 5)
    return slice(one, 0, a.start) + slice(two, b.start, b.end) + slice(one, a.end, lengthOf(one))
  }],
  'string-any': [2, 4, quantified(false)],
  'string-every': [2, 4, quantified(true)],
  'string-map': [2, 4, process(function* (_machine, procedure, text, start, end) {
    const whole = string(text, 2)
    const { start: from, end: to } = range(whole, start, end, 3)
    const found: string[] = []
    for (const part of points(slice(whole, from, to))) found.push(char(yield call(procedure, charOf(part)), 1).text)
    return found.join('')
  })],
  'string-for-each': [2, 4, process(function* (_machine, procedure, text, start, end) {
    const whole = string(text, 2)
    const { start: from, end: to } = range(whole, start, end, 3)
    for (const part of points(slice(whole, from, to))) yield call(procedure, charOf(part))
    return UNSPECIFIED
  })],
  'string-fold': [3, 5, process(function* (_machine, procedure, initial, text, start, end) {
    const whole = string(text, 3)
    const { start: from, end: to } = range(whole, start, end, 4)
    let result = initial
    for (const part of points(slice(whole, from, to))) result = yield call(procedure, charOf(part), result)
    return result
  })],
  'string-fold-right': [3, 5, process(function* (_machine, procedure, initial, text, start, end) {
    const whole = string(text, 3)
    const { start: from, end: to } = range(whole, start, end, 4)
    let result = initial
    for (const part of points(slice(whole, from, to)).reverse()) result = yield call(procedure, charOf(part), result)
    return result
  })],
  'string-tabulate': [2, 2, process(function* (_machine, procedure, count) {
    const found: string[] = []
    for (let at = 0; at < index(count, 2); at++) found.push(char(yield call(procedure, BigInt(at)), 1).text)
    return found.join('')
  })],
}

/** `string=` and the like, of SRFI 13, take ranges; here only the whole strings. */
export const stringComparisons: Table = Object.fromEntries(
  (['=', '<', '>', '<=', '>='] as const).map((sign) => [`string${sign}`, [2, 2, (strings[`string${sign}?`] as Entry)[2]] satisfies Entry]),
)

/** Of `(ice-9 string-fun)`. */
export const stringFunctions: Table = {
  'string-replace-substring': [3, 3, (_machine, text, part, by) => {
    const wanted = string(part, 2)
    if (wanted === '') throw failed('misc-error', 'string-replace-substring', 'empty substring', [])
    return joined([string(text, 1).replaceAll(wanted, () => string(by, 3))])
  }],
}

