/** Lists of SRFI 1, as far as `(guile)` does not have them. Names that end in `!` may, and here do, make new lists. */
import { call, type Call, type Machine, type Process } from '../execution.js'
import { isEqual } from '../equality.js'
import { MultipleValues, NIL, Pair, UNSPECIFIED, asValues, items, list, type Value } from '../value.js'
import { ANY, index, listOf, pair, process, type Entry, type Table } from './check.js'
import { columns } from './lists.js'

/** Part of a process that gives something else than a value. */
type Asking<T> = Generator<Call, T, Value>

const nth = (at: number): Entry => [1, 1, (_machine, from) => {
  let rest = from
  for (let left = at; left > 0; left--) rest = pair(rest, 1).cdr
  return pair(rest, 1).car
}]

/** Splits a list where a predicate first (fails to) hold. */
function* splitWhere(machine: Machine, predicate: Value, from: Value, until: boolean): Asking<{ before: Value[]; after: Value }> {
  const before: Value[] = []
  let rest = from
  for (; rest instanceof Pair; rest = rest.cdr) {
    if (((yield call(predicate, rest.car)) !== false) === until) break
    before.push(rest.car)
  }
  machine.charge(1)
  return { before, after: rest }
}

const partition: Entry = [2, 2, process(function* (machine, predicate, from) {
  const [yes, no]: [Value[], Value[]] = [[], []]
  for (const item of listOf(machine, from, 2)) ((yield call(predicate, item)) === false ? no : yes).push(item)
  return new MultipleValues([list(yes), list(no)])
})]

const remove: Entry = [2, 2, process(function* (machine, predicate, from) {
  const found: Value[] = []
  for (const item of listOf(machine, from, 2)) if ((yield call(predicate, item)) === false) found.push(item)
  return list(found)
})]

const appendMap: Entry = [2, ANY, process(function* (machine, procedure, ...lists) {
  const found: Value[] = []
  for (const row of columns(machine, lists)) found.push(yield call(procedure, ...row))
  let result: Value = found.pop() ?? NIL
  for (const part of found.reverse()) result = list(listOf(machine, part, 1), result)
  return result
})]

const span = (until: boolean): Entry => [2, 2, process(function* (machine, predicate, from) {
  const { before, after } = yield* splitWhere(machine, predicate, from, until)
  return asValues([list(before), after])
})]

/** Equality of the caller's, or `equal?`. */
function* same(test: Value | undefined, a: Value, b: Value): Asking<boolean> {
  return test === undefined ? isEqual(a, b) : (yield call(test, a, b)) !== false
}

function* has(test: Value | undefined, all: readonly Value[], wanted: Value): Asking<boolean> {
  for (const item of all) if (yield* same(test, item, wanted)) return true
  return false
}

const deleteDuplicates: Entry = [1, 2, process(function* (machine, from, test) {
  const found: Value[] = []
  for (const item of listOf(machine, from, 1)) if (!(yield* has(test, found, item))) found.push(item)
  return list(found)
})]

const deleteItem: Entry = [2, 3, process(function* (machine, wanted, from, test) {
  const found: Value[] = []
  for (const item of listOf(machine, from, 2)) if (!(yield* same(test, wanted, item))) found.push(item)
  return list(found)
})]

const alistDelete: Entry = [2, 3, process(function* (machine, key, alist, test) {
  const found: Value[] = []
  for (const entry of listOf(machine, alist, 2)) if (!(entry instanceof Pair && (yield* same(test, key, entry.car)))) found.push(entry)
  return list(found)
})]

/** Set operations: the items of the first list that are (not) in the others. */
const difference = (keep: (inHowMany: number, others: number) => boolean): Entry => [2, ANY, process(function* (machine, test, first, ...others) {
  const rows = others.map((other, at) => listOf(machine, other, at + 3))
  const found: Value[] = []
  for (const item of listOf(machine, first, 2)) {
    let count = 0
    for (const row of rows) if (yield* has(test, row, item)) count++
    if (keep(count, rows.length)) found.push(item)
  }
  return list(found)
})]

const union: Entry = [1, ANY, process(function* (machine, test, ...lists) {
  let found: Value = lists[0] ?? NIL
  for (const other of lists.slice(1)) {
    for (const item of listOf(machine, other, 3)) if (!(yield* has(test, items(found) ?? [], item))) found = new Pair(item, found)
  }
  return found
})]

const subset = (equal: boolean): Entry => [1, ANY, process(function* (machine, test, ...lists) {
  const rows = lists.map((from, at) => listOf(machine, from, at + 2))
  for (const [at, row] of rows.entries()) {
    const next = rows[at + 1]
    if (next === undefined) break
    for (const item of row) if (!(yield* has(test, next, item))) return false
    if (equal) for (const item of next) if (!(yield* has(test, row, item))) return false
  }
  return true
})]

const fold = (right: boolean): Entry => [3, ANY, process(function* (machine, procedure, initial, ...lists): Process {
  let result = initial
  const rows = columns(machine, lists)
  for (const row of right ? rows.reverse() : rows) result = yield call(procedure, ...row, result)
  return result
})]

const reduce = (right: boolean): Entry => [3, 3, process(function* (machine, procedure, identity, from) {
  const all = listOf(machine, from, 3)
  if (right) all.reverse()
  if (all.length === 0) return identity
  let result = all[0] as Value
  for (const item of all.slice(1)) result = yield call(procedure, item, result)
  return result
})]

const unfold: Entry = [4, 5, process(function* (machine, stop, mapper, successor, seed, tail) {
  const found: Value[] = []
  let at = seed
  while ((yield call(stop, at)) === false) {
    found.push(yield call(mapper, at))
    at = yield call(successor, at)
    machine.charge(1)
  }
  return list(found, tail === undefined ? NIL : yield call(tail, at))
})]

const unfoldRight: Entry = [4, 5, process(function* (machine, stop, mapper, successor, seed, tail) {
  let result = tail ?? NIL
  let at = seed
  while ((yield call(stop, at)) === false) {
    result = new Pair(yield call(mapper, at), result)
    at = yield call(successor, at)
    machine.charge(1)
  }
  return result
})]

const take: Entry = [2, 2, (_machine, from, count) => {
  const found: Value[] = []
  let rest = from
  for (let left = index(count, 2); left > 0; left--) {
    const at = pair(rest, 1)
    found.push(at.car)
    rest = at.cdr
  }
  return list(found)
}]

const right = (run: (all: Value[], count: number) => Value): Entry => [2, 2, (machine, from, count) => {
  const all = listOf(machine, from, 1)
  return run(all, index(count, 2, all.length))
}]

const drop: Entry = [2, 2, (_machine, from, count) => {
  let rest = from
  for (let left = index(count, 2); left > 0; left--) rest = pair(rest, 1).cdr
  return rest
}]

const takeRight = right((all, count) => list(all.slice(all.length - count)))
const dropRight = right((all, count) => list(all.slice(0, all.length - count)))
const takeWhile: Entry = [2, 2, process(function* (machine, predicate, from) {
  return list((yield* splitWhere(machine, predicate, from, false)).before)
})]

const filterMap: Entry = [2, ANY, process(function* (machine, procedure, ...lists) {
  const found: Value[] = []
  for (const row of columns(machine, lists)) {
    const value = yield call(procedure, ...row)
    if (value !== false) found.push(value)
  }
  return list(found)
})]

export const srfi1: Table = {
  ...Object.fromEntries(['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'].map((name, at) => [name, nth(at)])),
  last: [1, 1, (machine, from) => {
    pair(from, 1)
    return listOf(machine, from, 1).at(-1) as Value
  }],
  xcons: [2, 2, (_machine, a, b) => new Pair(b, a)],
  'car+cdr': [1, 1, (_machine, from) => asValues([pair(from, 1).car, pair(from, 1).cdr])],
  'list-tabulate': [2, 2, process(function* (_machine, count, procedure) {
    const found: Value[] = []
    for (let at = 0; at < index(count, 1); at++) found.push(yield call(procedure, BigInt(at)))
    return list(found)
  })],
  'proper-list?': [1, 1, (_machine, value) => items(value) !== undefined],
  'not-pair?': [1, 1, (_machine, value) => !(value instanceof Pair)],
  'null-list?': [1, 1, (_machine, value) => value === NIL],
  'length+': [1, 1, (_machine, value) => {
    const found = items(value)
    return found === undefined ? false : BigInt(found.length)
  }],
  concatenate: [1, 1, (machine, lists) => {
    const all = listOf(machine, lists, 1)
    let result: Value = all.pop() ?? NIL
    for (const part of all.reverse()) result = list(listOf(machine, part, 1), result)
    return result
  }],
  'append-reverse': [2, 2, (machine, from, tail) => list(listOf(machine, from, 1).reverse(), tail)],
  take,
  'take!': take,
  drop,
  'take-right': takeRight,
  'drop-right': dropRight,
  'drop-right!': dropRight,
  'split-at': [2, 2, (machine, from, count) => asValues([take[2](machine, from, count) as Value, drop[2](machine, from, count) as Value])],
  'take-while': takeWhile,
  'take-while!': takeWhile,
  'drop-while': [2, 2, process(function* (machine, predicate, from) {
    return (yield* splitWhere(machine, predicate, from, false)).after
  })],
  span: span(false),
  break: span(true),
  fold: fold(false),
  'fold-right': fold(true),
  reduce: reduce(false),
  'reduce-right': reduce(true),
  unfold,
  'unfold-right': unfoldRight,
  'append-map': appendMap,
  'append-map!': appendMap,
  'filter-map': filterMap,
  partition,
  'partition!': partition,
  remove,
  'remove!': remove,
  find: [2, 2, process(function* (machine, predicate, from) {
    for (const item of listOf(machine, from, 2)) if ((yield call(predicate, item)) !== false) return item
    return false
  })],
  'find-tail': [2, 2, process(function* (machine, predicate, from) {
    const { after } = yield* splitWhere(machine, predicate, from, true)
    return after instanceof Pair ? after : false
  })],
  any: [2, ANY, process(function* (machine, predicate, ...lists) {
    for (const row of columns(machine, lists)) {
      const value = yield call(predicate, ...row)
      if (value !== false) return value
    }
    return false
  })],
  every: [2, ANY, process(function* (machine, predicate, ...lists) {
    let value: Value = true
    for (const row of columns(machine, lists)) if ((value = yield call(predicate, ...row)) === false) return false
    return value
  })],
  count: [2, ANY, process(function* (machine, predicate, ...lists) {
    let count = 0n
    for (const row of columns(machine, lists)) if ((yield call(predicate, ...row)) !== false) count++
    return count
  })],
  'list-index': [2, ANY, process(function* (machine, predicate, ...lists) {
    for (const [at, row] of columns(machine, lists).entries()) if ((yield call(predicate, ...row)) !== false) return BigInt(at)
    return false
  })],
  delete: deleteItem,
  'delete!': deleteItem,
  'delete-duplicates': deleteDuplicates,
  'delete-duplicates!': deleteDuplicates,
  'alist-cons': [3, 3, (_machine, key, value, alist) => new Pair(new Pair(key, value), alist)],
  'alist-copy': [1, 1, (machine, alist) => list(listOf(machine, alist, 1).map((entry) => (entry instanceof Pair ? new Pair(entry.car, entry.cdr) : entry)))],
  'alist-delete': alistDelete,
  'alist-delete!': alistDelete,
  zip: [1, ANY, (machine, ...lists) => list(columns(machine, lists).map((row) => list(row)))],
  unzip1: [1, 1, (machine, from) => list(listOf(machine, from, 1).map((row) => pair(row, 1).car))],
  'lset-adjoin': [2, ANY, process(function* (machine, test, from, ...more) {
    let found = from
    for (const item of more) if (!(yield* has(test, listOf(machine, found, 2), item))) found = new Pair(item, found)
    return found
  })],
  'lset-union': union,
  'lset-difference': difference((count) => count === 0),
  'lset-intersection': difference((count, others) => count === others),
  'lset<=': subset(false),
  'lset=': subset(true),
  'pair-for-each': [2, 2, process(function* (_machine, procedure, from) {
    for (let rest = from; rest instanceof Pair; rest = rest.cdr) yield call(procedure, rest)
    return UNSPECIFIED
  })],
}
