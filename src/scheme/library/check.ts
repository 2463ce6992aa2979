/** What library procedures demand of their arguments. Positions count from 1, for messages. */
import type { Behaviour, Machine, Process } from '../execution.js'
import { isInteger } from '../number.js'
import { Abort, WrongType, failed } from '../throw.js'
import { Char, Pair, Sym, Vector, items, type Value } from '../value.js'

/** Least and most arguments, and what it does. */
export type Entry = readonly [minimum: number, maximum: number, run: Behaviour]
export type Table = Readonly<Record<string, Entry>>

export const ANY = Infinity
/** No longer string is made. */
export const MAXIMUM_LENGTH = 10_000_000
/** No longer list is gone through. */
const MAXIMUM_LIST = 2_000_000

export function pair(value: Value, position: number): Pair {
  if (value instanceof Pair) return value
  throw new WrongType(position, value, 'pair')
}

export function listOf(machine: Machine, value: Value, position: number): Value[] {
  const found = items(value)
  if (found === undefined) throw new WrongType(position, value, 'list')
  machine.charge(found.length >> 3)
  if (found.length > MAXIMUM_LIST) throw new Abort('limit', `a list of more than ${MAXIMUM_LIST} items`)
  return found
}

export function string(value: Value, position: number): string {
  if (typeof value === 'string') return value
  throw new WrongType(position, value, 'string')
}

export function symbol(value: Value, position: number): Sym {
  if (value instanceof Sym) return value
  throw new WrongType(position, value, 'symbol')
}

export function char(value: Value, position: number): Char {
  if (value instanceof Char) return value
  throw new WrongType(position, value, 'character')
}

export function vector(value: Value, position: number): Vector {
  if (value instanceof Vector) return value
  throw new WrongType(position, value, 'vector')
}

/** An exact integer from `least` to `most`. */
export function index(value: Value, position: number, most = MAXIMUM_LENGTH, least = 0): number {
  if (!isInteger(value) || typeof value !== 'bigint') throw new WrongType(position, value, 'exact integer')
  if (value < BigInt(least) || value > BigInt(most)) throw failed('out-of-range', false, 'Value out of range ~S to ~S: ~S', [BigInt(least), BigInt(most), value], false)
  return Number(value)
}

export function integer(value: Value, position: number): bigint {
  if (typeof value === 'bigint') return value
  throw new WrongType(position, value, 'exact integer')
}

/** A behaviour written as a generator, for procedures that call procedures. */
export function process(run: (machine: Machine, ...args: Value[]) => Process): Behaviour {
  return (machine, ...args) => machine.iterate(run(machine, ...args))
}
