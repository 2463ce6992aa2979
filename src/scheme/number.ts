/**
 * The numeric tower: exact integers (bigint), exact ratios, inexact reals (number). Exact stays exact; an inexact operand makes the result inexact.
 */
import { failed, outOfRange, WrongType } from './throw.js'
import { Ratio, type Value } from './value.js'

export type Num = bigint | number | Ratio

/** Exact results beyond this many bits are refused: a machine file has no use for them and they eat the time of everyone waiting. */
export const MAXIMUM_BITS = 1_000_000n

export const isNumber = (value: Value | undefined): value is Num => typeof value === 'bigint' || typeof value === 'number' || value instanceof Ratio
export const isExact = (value: Num): value is bigint | Ratio => typeof value !== 'number'
export const isInteger = (value: Value): value is bigint | number => typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))

export function number(value: Value | undefined, position: number): Num {
  if (isNumber(value)) return value
  throw new WrongType(position, value ?? false, 'number')
}

const SMALL = 1n << 256n
const isSmall = (value: bigint): boolean => value < SMALL && value > -SMALL
/** Bits of an integer, to within four: hexadecimal is the quick way. */
const bits = (value: bigint): number => 4 * abs(value).toString(16).length

const abs = (value: bigint): bigint => (value < 0n ? -value : value)
export function gcd(a: bigint, b: bigint): bigint {
  a = abs(a)
  b = abs(b)
  while (b !== 0n) [a, b] = [b, a % b]
  return a
}

export function ratio(numerator: bigint, denominator: bigint): bigint | Ratio {
  if (denominator < 0n) [numerator, denominator] = [-numerator, -denominator]
  const divisor = gcd(numerator, denominator)
  return denominator === divisor ? numerator / divisor : new Ratio(numerator / divisor, denominator / divisor)
}

export const numerator = (value: bigint | Ratio): bigint => (typeof value === 'bigint' ? value : value.numerator)
export const denominator = (value: bigint | Ratio): bigint => (typeof value === 'bigint' ? 1n : value.denominator)

/** The nearest double of a ratio, also when its parts overflow. */
function ratioToDouble(value: Ratio): number {
  const direct = Number(value.numerator) / Number(value.denominator)
  if (Number.isFinite(direct) && direct !== 0 && abs(value.numerator) < 2n ** 53n && value.denominator < 2n ** 53n) return direct
  const shift = 64 - (bits(value.numerator) - bits(value.denominator))
  const scaled = shift >= 0 ? (value.numerator << BigInt(shift)) / value.denominator : value.numerator / (value.denominator << BigInt(-shift))
  return Number(scaled) * 2 ** -shift
}

export function toDouble(value: Num): number {
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : ratioToDouble(value)
}

export function toExact(value: Num): bigint | Ratio {
  if (typeof value !== 'number') return value
  if (!Number.isFinite(value)) throw new WrongType(1, value)
  let scale = 1n
  while (!Number.isInteger(value)) {
    value *= 2
    scale *= 2n
  }
  return ratio(BigInt(value), scale)
}

export function add(a: Num, b: Num): Num {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a + b
  if (typeof a === 'number' || typeof b === 'number') return toDouble(a) + toDouble(b)
  return ratio(numerator(a) * denominator(b) + numerator(b) * denominator(a), denominator(a) * denominator(b))
}

export const negate = (a: Num): Num => (typeof a === 'bigint' ? -a : typeof a === 'number' ? -a : new Ratio(-a.numerator, a.denominator))

export function subtract(a: Num, b: Num): Num {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a - b
  if (typeof a === 'number' || typeof b === 'number') return b === 0n ? a : a === 0n ? negate(b) : toDouble(a) - toDouble(b)
  return add(a, negate(b))
}

export function multiply(a: Num, b: Num): Num {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    if (!(isSmall(a) && isSmall(b)) && BigInt(bits(a) + bits(b)) > MAXIMUM_BITS) throw tooLarge('*')
    return a * b
  }
  if (typeof a === 'number' || typeof b === 'number') return toDouble(a) * toDouble(b)
  return ratio(numerator(a) * numerator(b), denominator(a) * denominator(b))
}

const tooLarge = (who: string) => failed('out-of-range', who, 'Result is too large', [], false)
export const divisionByZero = (who: string) => failed('numerical-overflow', who, 'Numerical overflow', [], false)

export function divide(a: Num, b: Num): Num {
  if (b === 0n) throw divisionByZero('/')
  if (typeof a === 'number' || typeof b === 'number') return toDouble(a) / toDouble(b)
  return ratio(numerator(a) * denominator(b), denominator(a) * numerator(b))
}

/** Negative, zero or positive; NaN if either is not a number. */
export function compare(a: Num, b: Num): number {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : a === b ? 0 : NaN
  if (typeof a === 'number' && !Number.isFinite(a)) return a - 0
  if (typeof b === 'number' && !Number.isFinite(b)) return 0 - b
  const x = toExact(a)
  const y = toExact(b)
  return compare(numerator(x) * denominator(y), numerator(y) * denominator(x))
}

export function sign(a: Num): number {
  return typeof a === 'bigint' ? (a < 0n ? -1 : a > 0n ? 1 : 0) : typeof a === 'number' ? (Number.isNaN(a) ? NaN : Math.sign(a)) : a.numerator < 0n ? -1 : 1
}

export type Rounding = 'floor' | 'ceiling' | 'truncate' | 'round'

function roundDouble(value: number, how: Rounding): number {
  switch (how) {
    case 'floor': return Math.floor(value)
    case 'ceiling': return Math.ceil(value)
    case 'truncate': return Math.trunc(value)
    case 'round': {
      const down = Math.floor(value)
      const rest = value - down
      if (rest === 0) return value
      const up = rest > 0.5 || (rest === 0.5 && down % 2 !== 0)
      return up ? down + 1 : down
    }
  }
}

export function round(value: Num, how: Rounding): Num {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return roundDouble(value, how)
  const down = floorDivide(value.numerator, value.denominator)
  switch (how) {
    case 'floor': return down
    case 'ceiling': return down + 1n
    case 'truncate': return value.numerator < 0n ? down + 1n : down
    case 'round': {
      const twice = 2n * (value.numerator - down * value.denominator)
      return twice > value.denominator || (twice === value.denominator && down % 2n !== 0n) ? down + 1n : down
    }
  }
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient
}

/** `quotient` and `remainder` (truncate) or `floor-quotient` and `modulo` (floor). */
export function integerDivide(a: Value, b: Value, how: 'floor' | 'truncate', part: 'quotient' | 'remainder', who: string): Num {
  if (!isInteger(a)) throw new WrongType(1, a, 'integer')
  if (!isInteger(b)) throw new WrongType(2, b, 'integer')
  if (b === 0n || b === 0) throw divisionByZero(who)
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    const quotient = how === 'floor' ? floorDivide(a, b) : a / b
    return part === 'quotient' ? quotient : a - b * quotient
  }
  const [x, y] = [Number(a), Number(b)]
  const quotient = roundDouble(x / y, how)
  return part === 'quotient' ? quotient : x - y * quotient
}

function exactRoot(value: bigint): bigint {
  if (value < 2n) return value
  let guess = 1n << BigInt((value.toString(2).length + 1) >> 1)
  for (;;) {
    const next = (guess + value / guess) >> 1n
    if (next >= guess) return guess
    guess = next
  }
}

/** Largest exact integer whose square is at most `value` (>= 0). */
export const integerRoot = exactRoot

export function squareRoot(value: Num): Num {
  if (sign(value) < 0) throw new WrongType(1, value, 'non-negative number')
  if (isExact(value)) {
    const top = exactRoot(numerator(value))
    const bottom = exactRoot(denominator(value))
    if (top * top === numerator(value) && bottom * bottom === denominator(value)) return ratio(top, bottom)
  }
  return Math.sqrt(toDouble(value))
}

export function power(base: Num, exponent: Num): Num {
  if (typeof exponent === 'bigint') {
    if (exponent === 0n) return 1n
    if (typeof base === 'number') return base ** Number(exponent)
    if (exponent < 0n) return divide(1n, power(base, -exponent))
    const size = BigInt(numerator(base).toString(2).length + denominator(base).toString(2).length)
    if (exponent * size > MAXIMUM_BITS && numerator(base) ** 2n > 1n) throw outOfRange('expt', 2, exponent)
    if (typeof base === 'bigint') return base === 1n ? 1n : base === -1n ? (exponent % 2n === 0n ? 1n : -1n) : base === 0n && exponent > 0n ? 0n : base ** exponent
    return ratio(base.numerator ** exponent, base.denominator ** exponent)
  }
  const result = toDouble(base) ** toDouble(exponent)
  if (Number.isNaN(result) && !Number.isNaN(toDouble(base))) throw new WrongType(1, base, 'non-negative number')
  return result
}
