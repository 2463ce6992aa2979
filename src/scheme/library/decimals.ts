/** Numbers with a fixed count of digits behind the point, as `~f` and `~$` of `(ice-9 format)` want them. */
import { denominator, numerator, ratio, toExact, type Num } from '../number.js'
import { printNumber } from '../number-text.js'
import { beyond } from '../throw.js'

/** Rounded half away from zero from the exact value of the shortest decimal text, as Guile's formatter does digit by digit. */
export function decimals(value: Num, digits: number): string {
  const shortest = typeof value === 'number' ? printNumber(value) : undefined
  if (shortest !== undefined && !/^-?\d+\.\d+$/.test(shortest)) throw beyond('~f of such a number')
  const exact = shortest === undefined ? toExact(value) : fromDecimal(shortest)
  const scale = 10n ** BigInt(digits)
  const negative = numerator(exact) < 0n
  const size = negative ? -numerator(exact) : numerator(exact)
  const scaled = (2n * size * scale + denominator(exact)) / (2n * denominator(exact))
  const text = scaled.toString().padStart(digits + 1, '0')
  return `${negative ? '-' : ''}${text.slice(0, text.length - digits)}.${text.slice(text.length - digits)}`
}

function fromDecimal(text: string): ReturnType<typeof ratio> {
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.')
  return ratio(BigInt(whole + fraction) * (text.startsWith('-') ? -1n : 1n), 10n ** BigInt(fraction.length))
}
