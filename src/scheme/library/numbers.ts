/** Numbers of `(guile)`. */
import {
  add, compare, denominator, divide, divisionByZero, gcd, integerDivide, integerRoot, isExact, isInteger, isNumber, multiply, negate, number, numerator, power, round, sign, squareRoot, subtract, toDouble,
  toExact, type Num, type Rounding,
} from '../number.js'
import { parseNumber, printNumber } from '../number-text.js'
import { WrongType, failed, outOfRange } from '../throw.js'
import { asValues, type Ratio } from '../value.js'
import { ANY, index, integer, string, type Entry, type Table } from './check.js'

const MAXIMUM_SHIFT = 1_000_000

const fold = (start: Num, step: (a: Num, b: Num) => Num): Entry => [0, ANY, (_machine, ...args) => {
  let result = start
  for (let at = 0; at < args.length; at++) result = step(result, number(args[at], at + 1))
  return result
}]

const chain = (single: (value: Num) => Num, step: (a: Num, b: Num) => Num): Entry => [1, ANY, (_machine, ...args) => {
  let result = number(args[0], 1)
  if (args.length === 1) return single(result)
  for (let at = 1; at < args.length; at++) result = step(result, number(args[at], at + 1))
  return result
}]

const comparison = (holds: (order: number) => boolean): Entry => [0, ANY, (_machine, ...args) => {
  let result = true
  for (let at = 0; at < args.length; at++) {
    const right = number(args[at], at + 1)
    if (at > 0 && !holds(compare(number(args[at - 1], at), right))) result = false
  }
  return result
}]

const extreme = (wanted: number): Entry => [1, ANY, (_machine, ...args) => {
  const all = args.map((arg, at) => number(arg, at + 1))
  const best = all.reduce((a, b) => (Math.sign(compare(b, a)) === wanted ? b : a))
  return all.every(isExact) ? best : toDouble(best)
}]

const test = (holds: (value: Num) => boolean): Entry => [1, 1, (_machine, value) => holds(number(value, 1))]
const rounding = (how: Rounding): Entry => [1, 1, (_machine, value) => round(number(value, 1), how)]
const dividing = (name: string, how: 'floor' | 'truncate', part: 'quotient' | 'remainder'): Entry => [2, 2, (_machine, a, b) => integerDivide(a, b, how, part, name)]

/** Of any reals: the quotient is that of the exact or inexact division, rounded. */
const realDividing = (name: string, how: 'floor' | 'truncate', part: 'quotient' | 'remainder'): Entry => [2, 2, (_machine, a, b) => {
  if (typeof a === 'bigint' && typeof b === 'bigint') return integerDivide(a, b, how, part, name)
  const [x, y] = [number(a, 1), number(b, 2)]
  if (sign(y) === 0) throw divisionByZero(name)
  const quotient = round(divide(x, y), how)
  return part === 'quotient' ? quotient : subtract(x, multiply(y, quotient))
}]

/** Of integers, inexact ones too: one such makes the result inexact. */
const integers = (start: bigint, step: (a: bigint, b: bigint) => bigint): Entry => [0, ANY, (_machine, ...args) => {
  let result = start
  for (const [at, arg] of args.entries()) {
    if (!isInteger(arg)) throw new WrongType(at + 1, arg, 'integer')
    result = step(result, BigInt(arg))
  }
  return args.some((arg) => typeof arg === 'number') ? Number(result) : result
}]

const parity = (odd: boolean): Entry => [1, 1, (_machine, value) => {
  if (!isInteger(value)) throw new WrongType(1, value)
  return (typeof value === 'bigint' ? value % 2n !== 0n : value % 2 !== 0) === odd
}]

const bits = (start: bigint, step: (a: bigint, b: bigint) => bigint): Entry => [0, ANY, (_machine, ...args) => args.reduce<bigint>((all, arg, at) => step(all, integer(arg, at + 1)), start)]

/** A function of doubles; an exact argument that is its fixed point stays exact, as in Guile. */
const real = (run: (value: number) => number, exact?: readonly [bigint, bigint]): Entry => [1, 1, (_machine, value) => {
  const argument = number(value, 1)
  if (exact !== undefined && argument === exact[0]) return exact[1]
  const result = run(toDouble(argument))
  if (Number.isNaN(result) && !Number.isNaN(toDouble(argument))) throw new WrongType(1, value)
  return result
}]

function shift(value: bigint, by: bigint): bigint {
  if (by > BigInt(MAXIMUM_SHIFT)) throw outOfRange('ash', 2, by)
  return by >= 0n ? value << by : value >> -by
}

function logarithm(value: Num): number {
  if (typeof value === 'bigint' && value > 0n && value.toString(2).length > 1000) {
    const drop = value.toString(2).length - 900
    return Math.log(Number(value >> BigInt(drop))) + drop * Math.LN2
  }
  return Math.log(toDouble(value))
}

export const numbers: Table = {
  '+': fold(0n, add),
  '*': fold(1n, multiply),
  '-': chain(negate, subtract),
  '/': chain((value) => divide(1n, value), divide),
  '=': comparison((order) => order === 0),
  '<': comparison((order) => order < 0),
  '>': comparison((order) => order > 0),
  '<=': comparison((order) => order <= 0),
  '>=': comparison((order) => order >= 0),
  max: extreme(1),
  min: extreme(-1),
  '1+': [1, 1, (_machine, value) => add(number(value, 1), 1n)],
  '1-': [1, 1, (_machine, value) => subtract(number(value, 1), 1n)],
  'number?': [1, 1, (_machine, value) => isNumber(value)],
  'complex?': [1, 1, (_machine, value) => isNumber(value)],
  'real?': [1, 1, (_machine, value) => isNumber(value)],
  'rational?': [1, 1, (_machine, value) => isNumber(value) && (typeof value !== 'number' || Number.isFinite(value))],
  'integer?': [1, 1, (_machine, value) => isInteger(value)],
  'exact-integer?': [1, 1, (_machine, value) => typeof value === 'bigint'],
  'exact?': test(isExact),
  'inexact?': test((value) => !isExact(value)),
  'zero?': test((value) => sign(value) === 0),
  'positive?': test((value) => sign(value) > 0),
  'negative?': test((value) => sign(value) < 0),
  'odd?': parity(true),
  'even?': parity(false),
  'nan?': test((value) => Number.isNaN(value)),
  'inf?': test((value) => value === Infinity || value === -Infinity),
  'finite?': test((value) => typeof value !== 'number' || Number.isFinite(value)),
  nan: [0, 0, () => NaN],
  inf: [0, 0, () => Infinity],
  abs: [1, 1, (_machine, value) => (sign(number(value, 1)) < 0 ? negate(number(value, 1)) : value)],
  magnitude: [1, 1, (_machine, value) => (sign(number(value, 1)) < 0 ? negate(number(value, 1)) : value)],
  quotient: dividing('quotient', 'truncate', 'quotient'),
  remainder: dividing('remainder', 'truncate', 'remainder'),
  modulo: dividing('modulo', 'floor', 'remainder'),
  'truncate-quotient': realDividing('truncate-quotient', 'truncate', 'quotient'),
  'truncate-remainder': realDividing('truncate-remainder', 'truncate', 'remainder'),
  'floor-quotient': realDividing('floor-quotient', 'floor', 'quotient'),
  'floor-remainder': realDividing('floor-remainder', 'floor', 'remainder'),
  'floor/': [2, 2, (_machine, a, b) => asValues([integerDivide(a, b, 'floor', 'quotient', 'floor/'), integerDivide(a, b, 'floor', 'remainder', 'floor/')])],
  'truncate/': [2, 2, (_machine, a, b) => asValues([integerDivide(a, b, 'truncate', 'quotient', 'truncate/'), integerDivide(a, b, 'truncate', 'remainder', 'truncate/')])],
  gcd: integers(0n, gcd),
  lcm: integers(1n, (a, b) => (a === 0n || b === 0n ? 0n : (a * b < 0n ? -(a * b) : a * b) / gcd(a, b))),
  numerator: [1, 1, (_machine, value) => (typeof value === 'number' ? toDouble(numerator(toExact(value))) : numerator(number(value, 1) as bigint | Ratio))],
  denominator: [1, 1, (_machine, value) => (typeof value === 'number' ? toDouble(denominator(toExact(value))) : denominator(number(value, 1) as bigint | Ratio))],
  floor: rounding('floor'),
  ceiling: rounding('ceiling'),
  truncate: rounding('truncate'),
  round: rounding('round'),
  'exact->inexact': [1, 1, (_machine, value) => toDouble(number(value, 1))],
  'inexact->exact': [1, 1, (_machine, value) => toExact(number(value, 1))],
  expt: [2, 2, (_machine, base, exponent) => power(number(base, 1), number(exponent, 2))],
  sqrt: [1, 1, (_machine, value) => squareRoot(number(value, 1))],
  'exact-integer-sqrt': [1, 1, (_machine, value) => {
    const root = integerRoot(BigInt(index(value, 1, Number.MAX_SAFE_INTEGER)))
    return asValues([root, (value as bigint) - root * root])
  }],
  exp: real(Math.exp),
  log: [1, 1, (_machine, value) => {
    const argument = number(value, 1)
    if (argument === 0n) throw failed('numerical-overflow', 'log', 'Numerical overflow', [], false)
    if (sign(argument) < 0) throw new WrongType(1, value, 'non-negative number')
    return logarithm(argument)
  }],
  log10: [1, 1, (_machine, value) => Math.log10(toDouble(number(value, 1)))],
  sin: real(Math.sin, [0n, 0n]),
  cos: real(Math.cos, [0n, 1n]),
  tan: real(Math.tan, [0n, 0n]),
  asin: real(Math.asin, [0n, 0n]),
  acos: real(Math.acos, [1n, 0n]),
  atan: [1, 2, (_machine, y, x) => {
    if (x === undefined) return y === 0n ? 0n : Math.atan(toDouble(number(y, 1)))
    return Math.atan2(toDouble(number(y, 1)), toDouble(number(x, 2)))
  }],
  ash: [2, 2, (_machine, value, by) => shift(integer(value, 1), integer(by, 2))],
  logand: bits(-1n, (a, b) => a & b),
  logior: bits(0n, (a, b) => a | b),
  logxor: bits(0n, (a, b) => a ^ b),
  lognot: [1, 1, (_machine, value) => ~integer(value, 1)],
  'logbit?': [2, 2, (_machine, at, value) => ((integer(value, 2) >> BigInt(index(at, 1))) & 1n) === 1n],
  'number->string': [1, 2, (_machine, value, radix = 10n) => printNumber(number(value, 1), index(radix, 2, 36, 2))],
  'string->number': [1, 2, (_machine, text, radix = 10n) => parseNumber(string(text, 1), index(radix, 2, 36, 2)) ?? false],
}

/** Names that other modules give the same (R6RS, R7RS). */
export const exactness: Table = {
  exact: numbers['inexact->exact'] as Entry,
  inexact: numbers['exact->inexact'] as Entry,
}
