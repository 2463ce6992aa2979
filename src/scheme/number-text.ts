/** Numbers as text: Guile's syntax for reading (`#x10`, `1/2`, `1e1`, `2.`, `+inf.0`) and its way of printing (`2.0`, `1.0e21`). */
import { divide, power, ratio, toDouble, toExact, type Num } from './number.js'
import { failed } from './throw.js'
import { Ratio } from './value.js'

const DIGITS: Readonly<Record<number, RegExp>> = { 2: /^[01]+$/, 8: /^[0-7]+$/, 10: /^[0-9]+$/, 16: /^[0-9a-fA-F]+$/ }
const PREFIX: Readonly<Record<number, string>> = { 2: '0b', 8: '0o', 10: '', 16: '0x' }
const RADIX: Readonly<Record<string, number>> = { b: 2, o: 8, d: 10, x: 16 }
const DECIMAL = /^(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d+))?$/
const LARGEST_EXPONENT = 4000n

function unsignedInteger(text: string, radix: number): bigint | undefined {
  const pattern = DIGITS[radix]
  if (pattern?.test(text) !== true) {
    if (radix in DIGITS || !/^[0-9a-z]+$/i.test(text)) return undefined
    let value = 0n
    for (const digit of text.toLowerCase()) {
      const weight = parseInt(digit, 36)
      if (weight >= radix) return undefined
      value = value * BigInt(radix) + BigInt(weight)
    }
    return value
  }
  return BigInt(`${PREFIX[radix] ?? ''}${text}`)
}

function unsigned(text: string, radix: number, exactness: string | undefined): Num | undefined {
  const slash = text.indexOf('/')
  if (slash >= 0) {
    const top = unsignedInteger(text.slice(0, slash), radix)
    const bottom = unsignedInteger(text.slice(slash + 1), radix)
    if (top === undefined || bottom === undefined || bottom === 0n) return undefined
    return ratio(top, bottom)
  }
  const integer = unsignedInteger(text, radix)
  if (integer !== undefined) return integer
  const parts = radix === 10 ? DECIMAL.exec(text) : null
  if (parts === null) return undefined
  if (exactness !== 'e') {
    const value = Number(text)
    if (!Number.isFinite(value)) throw failed('out-of-range', 'string->number', 'Value out of range: ~S', [BigInt(parts[4] ?? '0')], false)
    return value
  }
  const exponent = BigInt(parts[4] ?? '0')
  if (exponent > LARGEST_EXPONENT || exponent < -LARGEST_EXPONENT) return undefined
  const fraction = parts[2] ?? parts[3] ?? ''
  const digits = BigInt((parts[1] ?? '') + fraction)
  const shift = exponent - BigInt(fraction.length)
  return shift >= 0n ? digits * 10n ** shift : divide(digits, power(10n, -shift))
}

/** The number that `text` is the name of; undefined if it is none (or a complex one). */
export function parseNumber(text: string, radix = 10): Num | undefined {
  let exactness: string | undefined
  for (let prefix = /^#([bodxeiBODXEI])/.exec(text); prefix !== null; prefix = /^#([bodxeiBODXEI])/.exec(text)) {
    const letter = (prefix[1] ?? '').toLowerCase()
    if (letter === 'e' || letter === 'i') exactness = letter
    else radix = RADIX[letter] ?? radix
    text = text.slice(2)
  }
  const signed = text.startsWith('-') || text.startsWith('+')
  const negative = text.startsWith('-')
  const body = signed ? text.slice(1) : text
  let value: Num | undefined
  if (signed && /^(inf|nan)\.0$/.test(body)) value = body.startsWith('inf') ? Infinity : NaN
  else value = unsigned(body, radix, exactness)
  if (value === undefined) return undefined
  if (negative) value = typeof value === 'bigint' ? -value : typeof value === 'number' ? -value : new Ratio(-value.numerator, value.denominator)
  if (exactness === 'i') return toDouble(value)
  return exactness === 'e' && typeof value === 'number' ? (Number.isFinite(value) ? toExact(value) : undefined) : value
}

function printDouble(value: number, radix: number): string {
  if (Number.isNaN(value)) return '+nan.0'
  if (!Number.isFinite(value)) return value > 0 ? '+inf.0' : '-inf.0'
  if (Object.is(value, -0)) return '-0.0'
  if (radix !== 10) {
    const text = value.toString(radix)
    return text.includes('.') ? text : `${text}.0`
  }
  const [mantissa = '', power = '0'] = Math.abs(value).toExponential().split('e')
  const digits = mantissa.replace('.', '')
  const exponent = Number(power)
  const sign = value < 0 ? '-' : ''
  if (exponent < -3 || exponent > Math.max(6, digits.length + 2)) return `${sign}${digits[0] ?? ''}.${digits.slice(1) || '0'}e${exponent}`
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const padded = digits.padEnd(exponent + 1, '0')
  return `${sign}${padded.slice(0, exponent + 1)}.${padded.slice(exponent + 1) || '0'}`
}

export function printNumber(value: Num, radix = 10): string {
  if (typeof value === 'bigint') return value.toString(radix)
  if (typeof value === 'number') return printDouble(value, radix)
  return `${value.numerator.toString(radix)}/${value.denominator.toString(radix)}`
}
