/** Pairs, lists and association lists of `(guile)`. */
import { call, type Machine } from '../execution.js'
import { isEqual, isEqv } from '../equality.js'
import { add, multiply, number } from '../number.js'
import { failed, outOfRange, WrongType } from '../throw.js'
import { NIL, Pair, UNSPECIFIED, items, list, type Value } from '../value.js'
import { ANY, index, listOf, pair, process, type Entry, type Table } from './check.js'

export type Same = (a: Value, b: Value) => boolean
export const isEq: Same = (a, b) => (typeof a === 'bigint' || typeof a === 'number' ? isEqv(a, b) : a === b)

/** `cadr` and its family: the letters from right to left. */
function accessors(): Record<string, Entry> {
  const table: Record<string, Entry> = {}
  const add = (path: string): void => {
    table[`c${path}r`] = [1, 1, (_machine, value) => {
      for (let at = path.length - 1; at >= 0; at--) {
        const found = pair(value, 1)
        value = path[at] === 'a' ? found.car : found.cdr
      }
      return value
    }]
    if (path.length < 4) for (const letter of ['a', 'd']) add(letter + path)
  }
  add('a')
  add('d')
  return table
}

function append(machine: Machine, ...lists: Value[]): Value {
  let result = lists.at(-1) ?? NIL
  for (let at = lists.length - 2; at >= 0; at--) result = list(listOf(machine, lists[at] as Value, at + 1), result)
  return result
}

function tail(from: Value, count: Value): Value {
  let rest = from
  for (let left = index(count, 2); left > 0; left--) rest = pair(rest, 1).cdr
  return rest
}

function head(from: Value, count: Value): Value[] {
  const found: Value[] = []
  let rest = from
  for (let left = index(count, 2); left > 0; left--) {
    const at = pair(rest, 1)
    found.push(at.car)
    rest = at.cdr
  }
  return found
}

export function find(key: Value, alist: Value, same: Same): Pair | undefined {
  for (let rest = alist; rest instanceof Pair; rest = rest.cdr) if (rest.car instanceof Pair && same(key, rest.car.car)) return rest.car
  return undefined
}

const member = (same: Same) => (_machine: Machine, key: Value, from: Value): Value => {
  for (let rest = from; rest instanceof Pair; rest = rest.cdr) if (same(key, rest.car)) return rest
  return false
}

const association = (same: Same) => (_machine: Machine, key: Value, alist: Value): Value => {
  if (items(alist) === undefined) throw new WrongType(2, alist, 'list')
  return find(key, alist, same) ?? false
}

/** `member` and `assoc` with a predicate of the caller's as third argument (SRFI 1). */
const memberWith = process(function* (_machine, key, from, same) {
  for (let rest = from; rest instanceof Pair; rest = rest.cdr) if ((yield call(same, key, rest.car)) !== false) return rest
  return false
})
const assocWith = process(function* (machine, key, alist, same) {
  for (const entry of listOf(machine, alist, 2)) if (entry instanceof Pair && (yield call(same, key, entry.car)) !== false) return entry
  return false
})

/** `assq-set!` and the like change an entry in place or put a new one in front. */
const setter = (same: Same): Entry => [3, 3, (_machine, alist, key, value) => {
  const found = find(key, alist, same)
  if (found === undefined) return new Pair(new Pair(key, value), alist)
  found.cdr = value
  return alist
}]
const remover = (same: Same): Entry => [2, 2, (machine, alist, key) => {
  const found = find(key, alist, same)
  return found === undefined ? alist : list(listOf(machine, alist, 1).filter((entry) => entry !== found))
}]
const reference = (same: Same): Entry => [2, 2, (_machine, alist, key) => find(key, alist, same)?.cdr ?? false]

const deleter = (same: Same): Entry => [2, 2, (machine, item, from) => list(listOf(machine, from, 2).filter((other) => !same(item, other)))]

/** The lists of `map` and the like, cut to the shortest. */
export function columns(machine: Machine, lists: readonly Value[]): Value[][] {
  const rows = lists.map((found, at) => listOf(machine, found, at + 2))
  const length = Math.min(...rows.map((row) => row.length))
  return Array.from({ length }, (_, at) => rows.map((row) => row[at] as Value))
}

export const mapping: Entry = [2, ANY, process(function* (machine, procedure, ...lists) {
  const found: Value[] = []
  for (const row of columns(machine, lists)) found.push(yield call(procedure, ...row))
  return list(found)
})]

export const forEach: Entry = [2, ANY, process(function* (machine, procedure, ...lists) {
  for (const row of columns(machine, lists)) yield call(procedure, ...row)
  return UNSPECIFIED
})]

function iota(machine: Machine, count: Value, start: Value = 0n, step: Value = 1n): Value {
  const length = index(count, 1)
  machine.charge(length)
  const found: Value[] = []
  if (typeof start === 'bigint' && typeof step === 'bigint') for (let at = 0; at < length; at++) found.push(start + BigInt(at) * step)
  else for (let at = 0n; at < BigInt(length); at++) found.push(add(number(start, 2), multiply(at, number(step, 3))))
  return list(found)
}

export const lists: Table = {
  ...accessors(),
  cons: [2, 2, (_machine, car, cdr) => new Pair(car, cdr)],
  'cons*': [1, ANY, (_machine, ...all) => list(all.slice(0, -1), all.at(-1))],
  list: [0, ANY, (_machine, ...all) => list(all)],
  'make-list': [1, 2, (machine, count, fill = UNSPECIFIED) => {
    const length = index(count, 1)
    machine.charge(length)
    return list(Array.from({ length }, () => fill))
  }],
  'pair?': [1, 1, (_machine, value) => value instanceof Pair],
  'null?': [1, 1, (_machine, value) => value === NIL],
  'list?': [1, 1, (_machine, value) => items(value) !== undefined],
  'set-car!': [2, 2, (_machine, target, value) => {
    pair(target, 1).car = value
    return UNSPECIFIED
  }],
  'set-cdr!': [2, 2, (_machine, target, value) => {
    pair(target, 1).cdr = value
    return UNSPECIFIED
  }],
  length: [1, 1, (machine, from) => BigInt(listOf(machine, from, 1).length)],
  append: [0, ANY, append],
  'append!': [0, ANY, append],
  reverse: [1, 1, (machine, from) => list(listOf(machine, from, 1).reverse())],
  'reverse!': [1, 1, (machine, from) => list(listOf(machine, from, 1).reverse())],
  'list-tail': [2, 2, (_machine, from, count) => tail(from, count)],
  'list-cdr-ref': [2, 2, (_machine, from, count) => tail(from, count)],
  'list-head': [2, 2, (_machine, from, count) => list(head(from, count))],
  'list-ref': [2, 2, (_machine, from, count) => {
    const rest = items(from) === undefined ? from : NIL
    if (rest !== NIL) return pair(tail(from, count), 1).car
    const found = items(from) ?? []
    if (typeof count === 'bigint' && count >= BigInt(found.length)) throw outOfRange('list-ref', 2, count)
    return found[index(count, 2)] as Value
  }],
  'list-set!': [3, 3, (_machine, from, count, value) => {
    pair(tail(from, count), 1).car = value
    return value
  }],
  'list-copy': [1, 1, (machine, from) => list(listOf(machine, from, 1))],
  'last-pair': [1, 1, (_machine, from) => {
    let rest = from
    while (rest instanceof Pair && rest.cdr instanceof Pair) rest = rest.cdr
    return rest
  }],
  iota: [1, 3, iota],
  memq: [2, 2, member(isEq)],
  memv: [2, 2, member(isEqv)],
  member: [2, 3, (machine, ...args) => (args.length === 3 ? memberWith(machine, ...args) : member(isEqual)(machine, args[0] as Value, args[1] as Value))],
  assq: [2, 2, association(isEq)],
  assv: [2, 2, association(isEqv)],
  assoc: [2, 3, (machine, ...args) => (args.length === 3 ? assocWith(machine, ...args) : association(isEqual)(machine, args[0] as Value, args[1] as Value))],
  'assq-ref': reference(isEq),
  'assv-ref': reference(isEqv),
  'assoc-ref': reference(isEqual),
  'assq-set!': setter(isEq),
  'assv-set!': setter(isEqv),
  'assoc-set!': setter(isEqual),
  'assq-remove!': remover(isEq),
  'assv-remove!': remover(isEqv),
  'assoc-remove!': remover(isEqual),
  acons: [3, 3, (_machine, key, value, alist) => new Pair(new Pair(key, value), alist)],
  delete: deleter(isEqual),
  'delete!': deleter(isEqual),
  delq: deleter(isEq),
  'delq!': deleter(isEq),
  delv: deleter(isEqv),
  'delv!': deleter(isEqv),
  map: mapping,
  'map-in-order': mapping,
  'for-each': forEach,
  filter: [2, 2, process(function* (machine, predicate, from) {
    const found: Value[] = []
    for (const item of listOf(machine, from, 2)) if ((yield call(predicate, item)) !== false) found.push(item)
    return list(found)
  })],
  'and-map': [2, 2, process(function* (machine, predicate, from) {
    let result: Value = true
    for (const item of listOf(machine, from, 2)) if ((result = yield call(predicate, item)) === false) return false
    return result
  })],
  'or-map': [2, 2, process(function* (machine, predicate, from) {
    for (const item of listOf(machine, from, 2)) {
      const result = yield call(predicate, item)
      if (result !== false) return result
    }
    return false
  })],
  apply: [1, ANY, (machine, procedure, ...args) => {
    const last = args.at(-1)
    if (last === undefined) return machine.apply(procedure, [])
    const spread = items(last)
    if (spread === undefined) throw failed('wrong-type-arg', 'apply', 'Apply to non-list: ~S', [last], list([last]))
    return machine.apply(procedure, [...args.slice(0, -1), ...spread])
  }],
}
