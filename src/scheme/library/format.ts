/**
 * `(ice-9 format)`: `~a ~s ~d ~x ~o ~b ~f ~$ ~c ~p ~{…~} ~[…~] ~(…~) ~? ~* ~t ~% ~& ~~ ~_ ~/ ~newline` with their parameters. The rest (`~e ~g ~r ~i …`) is
 * left to real Guile.
 */
import { isNumber, toDouble } from '../number.js'
import { printNumber } from '../number-text.js'
import { print } from '../printer.js'
import { beyond, failed } from '../throw.js'
import { Char, NIL, items, type Value } from '../value.js'
import { alternatives } from './alternatives.js'
import { decimals } from './decimals.js'
import { lengthOf } from './text.js'

interface Directive {
  readonly params: readonly (number | string | undefined)[]
  readonly colon: boolean
  readonly at: boolean
  readonly letter: string
}

const problem = (text: string) => failed('misc-error', 'format', `error in format: ${text}`, [])

class Formatter {
  readonly #text: string
  readonly #args: readonly Value[]
  #at = 0
  #arg: number
  out = ''

  constructor(text: string, args: readonly Value[], arg = 0) {
    this.#text = text
    this.#args = args
    this.#arg = arg
  }
  get used(): number { return this.#arg }

  #next(): Value {
    const value = this.#args[this.#arg++]
    if (value === undefined) throw problem('missing argument(s)')
    return value
  }

  #directive(): Directive {
    const params: (number | string | undefined)[] = []
    let given = false
    for (;;) {
      const rest = this.#text.slice(this.#at)
      const number = /^[+-]?\d+/.exec(rest)?.[0]
      if (number !== undefined) {
        params.push(Number(number))
        this.#at += number.length
      } else if (rest.startsWith('\'')) {
        params.push(rest[1])
        this.#at += 2
      } else if (/^[vV]/.test(rest)) {
        const value = this.#next()
        params.push(typeof value === 'bigint' ? Number(value) : value instanceof Char ? value.text : undefined)
        this.#at++
      } else if (rest.startsWith('#')) {
        params.push(this.#args.length - this.#arg)
        this.#at++
      } else if (rest.startsWith(',') || given) params.push(undefined)
      given = rest.startsWith(',') && params.at(-1) === undefined
      if (this.#text[this.#at] !== ',') break
      this.#at++
      given = true
    }
    let [colon, at] = [false, false]
    for (; this.#text[this.#at] === ':' || this.#text[this.#at] === '@'; this.#at++) {
      if (this.#text[this.#at] === ':') colon = true
      else at = true
    }
    return { params, colon, at, letter: (this.#text[this.#at++] ?? '').toLowerCase() }
  }

  /** Formats up to the end or to the directive that ends a group; says which. `escape` is true if `~^` ended it. */
  run(stop = ''): { ended: Directive | undefined; escaped: boolean } {
    while (this.#at < this.#text.length) {
      const tilde = this.#text.indexOf('~', this.#at)
      if (tilde < 0) {
        this.out += this.#text.slice(this.#at)
        this.#at = this.#text.length
        break
      }
      this.out += this.#text.slice(this.#at, tilde)
      this.#at = tilde + 1
      if (this.#at >= this.#text.length) throw problem('the text ends in a tilde')
      const directive = this.#directive()
      if (stop.includes(directive.letter) && directive.letter !== '') return { ended: directive, escaped: false }
      if (directive.letter === '^') {
        if (this.#arg >= this.#args.length) return { ended: undefined, escaped: true }
        continue
      }
      this.#apply(directive)
    }
    if (stop !== '') throw problem(`"~${stop}" is missing`)
    return { ended: undefined, escaped: false }
  }

  #apply(directive: Directive): void {
    const { letter, params, at, colon } = directive
    const count = typeof params[0] === 'number' ? params[0] : 1
    switch (letter) {
      case 'a': return this.#padded(print(this.#next(), false), directive)
      case 's': return this.#padded(print(this.#next(), true), directive)
      case 'd': return this.#integer(directive, 10)
      case 'x': return this.#integer(directive, 16)
      case 'o': return this.#integer(directive, 8)
      case 'b': return this.#integer(directive, 2)
      case 'f': return this.#fixed(directive)
      case '$': return this.#dollars(directive)
      case 'c': return this.#character(directive)
      case 'p': return this.#plural(colon, at)
      case 'y':
        this.out += `${print(this.#next(), true)}\n`
        return
      case '%':
        this.out += '\n'.repeat(count)
        return
      case '&':
        if (this.out !== '' && !this.out.endsWith('\n')) this.out += '\n'
        return
      case '~':
        this.out += '~'.repeat(count)
        return
      case '_':
        this.out += ' '.repeat(count)
        return
      case '/':
        this.out += '\t'.repeat(count)
        return
      case 't': return this.#column(directive)
      case '*':
        this.#arg = at ? (typeof params[0] === 'number' ? params[0] : 0) : this.#arg + (colon ? -count : count)
        if (this.#arg < 0 || this.#arg > this.#args.length) throw problem('no such argument')
        return
      case '?': return this.#indirect(at)
      case '{': return this.#iteration(directive)
      case '[': return this.#choice(directive)
      case '(': return this.#cased(directive)
      case '\n':
        if (at) this.out += '\n'
        if (!colon) while (/[ \t]/.test(this.#text[this.#at] ?? '')) this.#at++
        return
      default: throw beyond(`~${letter} in format`)
    }
  }

  #padded(text: string, { params, at }: Directive): void {
    const [width = 0, step = 1, least = 0, fill = ' '] = params
    const [columns, increment, minimum] = [width, step, least].map((value) => (typeof value === 'number' ? value : 0)) as [number, number, number]
    let padding = minimum
    while (lengthOf(text) + padding < columns) padding += Math.max(1, increment)
    const blank = (typeof fill === 'string' ? fill : String.fromCodePoint(fill)).repeat(padding)
    this.out += at ? blank + text : text + blank
  }

  #integer({ params, colon, at }: Directive, radix: number): void {
    const value = this.#next()
    if (!isNumber(value) || (typeof value === 'number' && !Number.isInteger(value)) || typeof value === 'object') throw problem('argument not an integer')
    const [width, fill = ' ', separator = ',', interval = 3] = params
    const whole = typeof value === 'number' ? BigInt(value) : value
    const sign = whole < 0n ? '-' : at ? '+' : ''
    let digits = (whole < 0n ? -whole : whole).toString(radix)
    if (colon) {
      const size = typeof interval === 'number' ? interval : 3
      const groups: string[] = []
      for (; digits.length > size; digits = digits.slice(0, -size)) groups.unshift(digits.slice(-size))
      digits = [digits, ...groups].join(typeof separator === 'string' ? separator : ',')
    }
    const text = sign + digits
    this.out += typeof width === 'number' ? text.padStart(width, typeof fill === 'string' ? fill : ' ') : text
  }

  #fixed({ params, at }: Directive): void {
    const value = this.#next()
    if (!isNumber(value)) throw problem('argument not a number')
    const [width, digits, , , fill = ' '] = params
    let text = typeof digits === 'number' ? decimals(value, digits) : printNumber(toDouble(value))
    if (text.includes('e')) throw beyond('~f of such a number')
    if (typeof width === 'number' && text.length > width && text.startsWith('0.')) text = text.slice(1)
    if (at && !text.startsWith('-')) text = `+${text}`
    this.out += typeof width === 'number' ? text.padStart(width, typeof fill === 'string' ? fill : ' ') : text
  }

  #dollars({ params }: Directive): void {
    const value = this.#next()
    if (!isNumber(value)) throw problem('argument not a number')
    this.out += decimals(value, typeof params[0] === 'number' ? params[0] : 2)
  }

  #character({ at }: Directive): void {
    const value = this.#next()
    if (!(value instanceof Char)) throw problem('argument not a character')
    this.out += at ? print(value, true) : value.text
  }

  #plural(colon: boolean, at: boolean): void {
    if (colon) this.#arg--
    const one = this.#next() === 1n
    this.out += at ? (one ? 'y' : 'ies') : one ? '' : 's'
  }

  #column({ params, at, colon }: Directive): void {
    if (colon) throw beyond('~:t in format')
    const wanted = typeof params[0] === 'number' ? params[0] : 1
    const step = typeof params[1] === 'number' ? params[1] : 1
    const here = this.out.length - (this.out.lastIndexOf('\n') + 1)
    if (at) {
      const target = step > 0 ? Math.ceil((here + wanted) / step) * step : here + wanted
      this.out += ' '.repeat(target - here)
    } else if (here < wanted) this.out += ' '.repeat(wanted - here)
    else if (step > 0) this.out += ' '.repeat(step - ((here - wanted) % step))
  }

  #indirect(at: boolean): void {
    const text = this.#next()
    if (typeof text !== 'string') throw problem('argument not a string')
    if (at) {
      const inner = new Formatter(text, this.#args, this.#arg)
      inner.run()
      this.#arg = inner.used
      this.out += inner.out
      return
    }
    const inner = new Formatter(text, items(this.#next()) ?? [])
    inner.run()
    this.out += inner.out
  }

  /** The text of a group up to its end, unformatted. */
  #group(open: string, close: string): { body: string; end: Directive } {
    const start = this.#at
    let depth = 1
    for (;;) {
      const tilde = this.#text.indexOf('~', this.#at)
      if (tilde < 0) throw problem(`"~${close}" is missing`)
      this.#at = tilde + 1
      const saved = this.#arg
      const directive = this.#directive()
      this.#arg = saved
      if (directive.letter === open) depth++
      if (directive.letter === close && --depth === 0) return { body: this.#text.slice(start, tilde), end: directive }
    }
  }

  #iteration({ params, colon, at }: Directive): void {
    const { body } = this.#group('{', '}')
    const most = typeof params[0] === 'number' ? params[0] : Infinity
    const args = at ? this.#args.slice(this.#arg) : items(this.#next())
    if (args === undefined) throw problem('argument not a list')
    if (at) this.#arg = this.#args.length
    let used = 0
    for (let count = 0; count < most && used < args.length; count++) {
      if (count > 100_000) throw problem('too many repetitions')
      const inner = colon ? new Formatter(body, items(args[used] ?? NIL) ?? []) : new Formatter(body, args, used)
      const { escaped } = inner.run()
      this.out += inner.out
      const before = used
      used = colon ? used + 1 : inner.used
      if ((escaped && !colon) || used === before) break
    }
  }

  #choice({ params, colon, at }: Directive): void {
    const { body } = this.#group('[', ']')
    const { parts, otherwise } = alternatives(body)
    let chosen: string | undefined
    if (at) {
      if (this.#args[this.#arg] === false) this.#arg++
      else chosen = parts[0]
    } else if (colon) chosen = this.#next() === false ? parts[0] : parts[1]
    else {
      const value = typeof params[0] === 'number' ? BigInt(params[0]) : this.#next()
      if (typeof value !== 'bigint') throw problem('argument not an integer')
      chosen = (value >= 0n && value < BigInt(parts.length) ? parts[Number(value)] : undefined) ?? otherwise
    }
    if (chosen === undefined) return
    const inner = new Formatter(chosen, this.#args, this.#arg)
    inner.run()
    this.#arg = inner.used
    this.out += inner.out
  }

  #cased({ colon, at }: Directive): void {
    if (colon !== at) throw beyond('~:( in format')
    const { body } = this.#group('(', ')')
    const inner = new Formatter(body, this.#args, this.#arg)
    inner.run()
    this.#arg = inner.used
    this.out += colon ? inner.out.toUpperCase() : inner.out.toLowerCase()
  }
}

export function format(text: string, args: readonly Value[]): string {
  const formatter = new Formatter(text, args)
  formatter.run()
  return formatter.out
}
