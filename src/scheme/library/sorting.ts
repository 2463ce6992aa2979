/** `sort` and its relatives: a stable merge sort that can call the program's own order. */
import { call, type Call, type Machine } from '../execution.js'
import { Vector, list, type Value } from '../value.js'
import { listOf, process, vector, type Entry, type Table } from './check.js'

function* merged(left: readonly Value[], right: readonly Value[], less: Value): Generator<Call, Value[], Value> {
  const result: Value[] = []
  let [a, b] = [0, 0]
  while (a < left.length && b < right.length) {
    const swap = (yield call(less, right[b] as Value, left[a] as Value)) !== false
    result.push((swap ? right[b++] : left[a++]) as Value)
  }
  return [...result, ...left.slice(a), ...right.slice(b)]
}

function* sorted(all: readonly Value[], less: Value): Generator<Call, readonly Value[], Value> {
  if (all.length < 2) return all
  const middle = all.length >> 1
  return yield* merged(yield* sorted(all.slice(0, middle), less), yield* sorted(all.slice(middle), less), less)
}

const sort: Entry = [2, 2, process(function* (machine: Machine, from, less) {
  if (from instanceof Vector) return new Vector([...(yield* sorted(from.items, less))])
  return list(yield* sorted(listOf(machine, from, 1), less))
})]

export const sorting: Table = {
  sort,
  'stable-sort': sort,
  'sort-list': sort,
  'sort!': [2, 2, process(function* (machine, from, less) {
    if (!(from instanceof Vector)) return list(yield* sorted(listOf(machine, from, 1), less))
    const result = yield* sorted([...from.items], less)
    for (const [at, item] of result.entries()) vector(from, 1).items[at] = item
    return from
  })],
  merge: [3, 3, process(function* (machine, left, right, less) {
    return list(yield* merged(listOf(machine, left, 1), listOf(machine, right, 2), less))
  })],
  'sorted?': [2, 2, process(function* (machine, from, less) {
    const all = from instanceof Vector ? from.items : listOf(machine, from, 1)
    for (let at = 1; at < all.length; at++) if ((yield call(less, all[at] as Value, all[at - 1] as Value)) !== false) return false
    return true
  })],
}
