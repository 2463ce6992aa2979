/** Hash tables and vectors of `(guile)`. Iteration is in the order of insertion; Guile promises no order. */
import { call } from '../execution.js'
import { isEqual, isEqv } from '../equality.js'
import { isNumber } from '../number.js'
import { print } from '../printer.js'
import { WrongType } from '../throw.js'
import { Char, Keyword, Pair, SchemeObject, Sym, UNSPECIFIED, Vector, list, type Value } from '../value.js'
import { ANY, index, listOf, process, vector, type Entry, type Table } from './check.js'
import { isEq, type Same } from './lists.js'

/** Entries by a key that equal values share; those with the same key are told apart by the procedure's own equality. */
export class HashTable extends SchemeObject {
  readonly #buckets = new Map<Value | SchemeObject, Pair[]>()
  get type(): string { return 'hash-table' }

  /** One table may be used with `hashq-` and `hash-` procedures alike, so the key must suit them all. */
  #key(key: Value): Value {
    if (typeof key === 'object' && !(key instanceof Sym || key instanceof Char || key instanceof Keyword)) return print(key, true)
    return isNumber(key) ? print(key, true) : typeof key === 'string' ? `"${key}` : key
  }

  find(key: Value, same: Same): Pair | undefined {
    return this.#buckets.get(this.#key(key))?.find((entry) => same(entry.car, key))
  }

  set(key: Value, value: Value, same: Same): void {
    const found = this.find(key, same)
    if (found !== undefined) {
      found.cdr = value
      return
    }
    const bucket = this.#buckets.get(this.#key(key))
    if (bucket === undefined) this.#buckets.set(this.#key(key), [new Pair(key, value)])
    else bucket.push(new Pair(key, value))
  }

  remove(key: Value, same: Same): Value {
    const bucket = this.#buckets.get(this.#key(key))
    const at = bucket?.findIndex((entry) => same(entry.car, key)) ?? -1
    if (bucket === undefined || at < 0) return false
    return bucket.splice(at, 1)[0] ?? false
  }

  clear(): void {
    this.#buckets.clear()
  }

  entries(): Pair[] {
    return [...this.#buckets.values()].flat()
  }
}

function table(value: Value, position: number): HashTable {
  if (value instanceof HashTable) return value
  throw new WrongType(position, value, 'hash-table')
}

function family(name: string, same: Same): Record<string, Entry> {
  return {
    [`${name}-ref`]: [2, 3, (_machine, from, key, otherwise = false) => table(from, 1).find(key, same)?.cdr ?? otherwise],
    [`${name}-set!`]: [3, 3, (_machine, from, key, value) => {
      table(from, 1).set(key, value, same)
      return value
    }],
    [`${name}-remove!`]: [2, 2, (_machine, from, key) => table(from, 1).remove(key, same)],
    [`${name}-get-handle`]: [2, 2, (_machine, from, key) => table(from, 1).find(key, same) ?? false],
    [`${name}-create-handle!`]: [3, 3, (_machine, from, key, value) => {
      if (table(from, 1).find(key, same) === undefined) table(from, 1).set(key, value, same)
      return table(from, 1).find(key, same) ?? false
    }],
  }
}

const fromAlist = (same: Same): Entry => [1, 2, (machine, alist) => {
  const made = new HashTable()
  // The first entry of a key counts, as with assoc.
  for (const entry of listOf(machine, alist, 1).reverse()) if (entry instanceof Pair) made.set(entry.car, entry.cdr, same)
  return made
}]

export const hashTables: Table = {
  'make-hash-table': [0, 1, () => new HashTable()],
  'hash-table?': [1, 1, (_machine, value) => value instanceof HashTable],
  ...family('hash', isEqual),
  ...family('hashq', isEq),
  ...family('hashv', isEqv),
  'hash-clear!': [1, 1, (_machine, from) => {
    table(from, 1).clear()
    return UNSPECIFIED
  }],
  'hash-fold': [3, 3, process(function* (_machine, procedure, initial, from) {
    let result = initial
    for (const entry of table(from, 3).entries()) result = yield call(procedure, entry.car, entry.cdr, result)
    return result
  })],
  'hash-for-each': [2, 2, process(function* (_machine, procedure, from) {
    for (const entry of table(from, 2).entries()) yield call(procedure, entry.car, entry.cdr)
    return UNSPECIFIED
  })],
  'hash-map->list': [2, 2, process(function* (_machine, procedure, from) {
    const found: Value[] = []
    for (const entry of table(from, 2).entries()) found.push(yield call(procedure, entry.car, entry.cdr))
    return list(found.reverse())
  })],
  'hash-count': [2, 2, process(function* (_machine, predicate, from) {
    let count = 0n
    for (const entry of table(from, 2).entries()) if ((yield call(predicate, entry.car, entry.cdr)) !== false) count++
    return count
  })],
}

/** Of `(ice-9 hash-table)`. */
export const alistTables: Table = { 'alist->hash-table': fromAlist(isEqual), 'alist->hashq-table': fromAlist(isEq), 'alist->hashv-table': fromAlist(isEqv) }

function part(found: Vector, start: Value | undefined, end: Value | undefined): Value[] {
  const to = end === undefined ? found.items.length : index(end, 3, found.items.length)
  return found.items.slice(start === undefined ? 0 : index(start, 2, to), to)
}

export const vectors: Table = {
  'vector?': [1, 1, (_machine, value) => value instanceof Vector],
  vector: [0, ANY, (_machine, ...all) => new Vector(all)],
  'make-vector': [1, 2, (machine, count, fill = UNSPECIFIED) => {
    const length = index(count, 1)
    machine.charge(length)
    return new Vector(Array.from({ length }, () => fill))
  }],
  'vector-length': [1, 1, (_machine, from) => BigInt(vector(from, 1).items.length)],
  'vector-ref': [2, 2, (_machine, from, at) => {
    const { items } = vector(from, 1)
    return items[index(at, 2, items.length - 1)] as Value
  }],
  'vector-set!': [3, 3, (_machine, from, at, value) => {
    const { items } = vector(from, 1)
    items[index(at, 2, items.length - 1)] = value
    return UNSPECIFIED
  }],
  'vector->list': [1, 3, (_machine, from, start, end) => list(part(vector(from, 1), start, end))],
  'list->vector': [1, 1, (machine, from) => new Vector(listOf(machine, from, 1))],
  'vector-fill!': [2, 2, (_machine, from, value) => {
    vector(from, 1).items.fill(value)
    return UNSPECIFIED
  }],
  'vector-copy': [1, 3, (_machine, from, start, end) => new Vector(part(vector(from, 1), start, end))],
}

/** `vector-map` and `vector-for-each` as R6RS and R7RS have them; SRFI 43 differs. */
export const vectorMapping: Table = {
  'vector-map': [2, ANY, process(function* (_machine, procedure, ...all) {
    const vectorsGiven = all.map((from, at) => vector(from, at + 2).items)
    const found: Value[] = []
    for (let at = 0; at < Math.min(...vectorsGiven.map((items) => items.length)); at++) found.push(yield call(procedure, ...vectorsGiven.map((items) => items[at] as Value)))
    return new Vector(found)
  })],
  'vector-for-each': [2, ANY, process(function* (_machine, procedure, ...all) {
    const vectorsGiven = all.map((from, at) => vector(from, at + 2).items)
    for (let at = 0; at < Math.min(...vectorsGiven.map((items) => items.length)); at++) yield call(procedure, ...vectorsGiven.map((items) => items[at] as Value))
    return UNSPECIFIED
  })],
}
