/**
 * Guile's surface syntax: text in, data out, one at a time, each with its place (lines from 1, columns from 0 as in Guile's messages).
 *
 * Covers comments (`;`, `#;`, nested `#|…|#`, `#!…!#`), quotes, keywords, booleans, strings with all escapes, characters, numbers, dotted pairs, vectors,
 * `#{…}#` symbols, square brackets as parentheses, and gexps as the forms they stand for. Everything else that starts with `#` is an {@link Abort} of kind
 * `unknown`: real Guile may read it. Nesting is limited so that neither this reader nor the compiler can run out of stack.
 */
import { DELIMITERS, ESCAPES, HASH_QUOTES, QUOTES, characterCode } from './lexical.js'
import { Abort } from './throw.js'
import { parseNumber } from './number-text.js'
import { UNSPECIFIED, character, intern, keyword, NIL, SourcePair, Vector, type Place, type Value } from './value.js'

export const MAXIMUM_NESTING = 500

/** A datum and where it starts. */
export interface Datum {
  readonly value: Value
  readonly place: Place
}

export class Reader {
  readonly #text: string
  readonly #file: string
  #at = 0
  #line = 1
  #lineStart = 0
  #depth = 0

  constructor(text: string, file: string) {
    this.#text = text
    this.#file = file
  }

  /** The next datum; undefined at the end of the text. */
  next(): Datum | undefined {
    this.#skip()
    return this.#at >= this.#text.length ? undefined : this.#datum()
  }

  /** How far it has read. */
  get position(): number { return this.#at }

  #here(): Place {
    return { file: this.#file, line: this.#line, column: this.#at - this.#lineStart }
  }

  /** Guile counts the columns of reading errors from 1. */
  #fail(problem: string): Abort {
    const { line, column } = this.#here()
    return new Abort('read', problem, { file: this.#file, line, column: column + 1 })
  }

  #newline(): void {
    this.#line++
    this.#lineStart = this.#at + 1
  }

  #skip(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at]
      if (char === '\n') this.#newline()
      else if (char === ';') this.#skipLine()
      else if (char === '#') {
        if (!this.#skipHashComment()) return
        this.#at--
      } else if (char !== ' ' && char !== '\t' && char !== '\r' && char !== '\f' && char !== '\v' && char !== '\u00a0' && char !== '\ufeff') return
    }
  }

  #skipLine(): void {
    const end = this.#text.indexOf('\n', this.#at)
    this.#at = (end < 0 ? this.#text.length : end) - 1
  }

  /** True if a comment that starts with `#` was here; the position is then behind it. */
  #skipHashComment(): boolean {
    const second = this.#text[this.#at + 1]
    if (second === ';') {
      this.#at += 2
      this.#skip()
      if (this.#at >= this.#text.length) throw this.#fail('end of file where "#;" wants something to leave out')
      this.#datum()
      return true
    }
    if (second === '|') {
      this.#skipBlock('|#', '#|')
      return true
    }
    if (second !== '!') return false
    const word = /^#!([^\s!;"'()]+)/.exec(this.#text.slice(this.#at, this.#at + 40))?.[1]
    if (word === 'default' || word === 'eof' || word === 'unspecified' || word === 'optional' || word === 'rest' || word === 'key') return false
    if (word === 'fold-case' || word === 'no-fold-case' || word === 'curly-infix' || word === 'r6rs' || word === 'r7rs') {
      throw new Abort('unknown', `"#!${word}" is not known here`, this.#here(), `#!${word}`)
    }
    this.#skipBlock('!#', undefined)
    return true
  }

  #skipBlock(end: string, start: string | undefined): void {
    const opened = this.#here()
    let depth = 1
    for (this.#at += 2; depth > 0; ) {
      if (this.#at >= this.#text.length) throw this.#fail(`end of file in the comment that starts at line ${opened.line}, column ${opened.column}`)
      if (this.#text.startsWith(end, this.#at)) {
        depth--
        this.#at += 2
      } else if (start !== undefined && this.#text.startsWith(start, this.#at)) {
        depth++
        this.#at += 2
      } else {
        if (this.#text[this.#at] === '\n') this.#newline()
        this.#at++
      }
    }
  }

  #datum(): Datum {
    if (++this.#depth > MAXIMUM_NESTING) throw new Abort('limit', `nested more than ${MAXIMUM_NESTING} levels deep`, this.#here())
    const place = this.#here()
    const value = this.#value(place)
    this.#depth--
    return { value, place }
  }

  #value(place: Place): Value {
    const char = this.#text[this.#at] ?? ''
    switch (char) {
      case '(':
      case '[': {
        this.#at++
        return this.#list(char === '(' ? ')' : ']', place)
      }
      case ')':
      case ']': throw this.#fail(`"${char}" without an opening bracket`)
      case '"': return this.#string(place)
      case '#': return this.#hash(place)
      case '\'':
      case '`':
      case ',': {
        const mark = char === ',' && this.#text[this.#at + 1] === '@' ? ',@' : char
        return this.#quoted(mark, QUOTES[mark] ?? 'quote', place)
      }
      default: return this.#atom()
    }
  }

  #quoted(mark: string, name: string, place: Place): Value {
    this.#at += mark.length
    this.#skip()
    if (this.#at >= this.#text.length) throw this.#fail(`end of file after "${mark}"`)
    const datum = this.#datum()
    return new SourcePair(intern(name), new SourcePair(datum.value, NIL, undefined, datum.place), place, place)
  }

  #list(close: string, place: Place): Value {
    const data: Datum[] = []
    let tail: Value = NIL
    for (;;) {
      this.#skip()
      const char = this.#text[this.#at]
      if (char === undefined) throw this.#fail(`end of file; the bracket opened at line ${place.line}, column ${place.column} is never closed`)
      if (char === close) break
      if (char === ')' || char === ']') throw this.#fail(`"${char}" where "${close}" must close the bracket opened at line ${place.line}, column ${place.column}`)
      if (char === '.' && data.length > 0 && DELIMITERS.has(this.#text[this.#at + 1] ?? ' ')) {
        this.#at++
        this.#skip()
        tail = this.#datum().value
        this.#skip()
        if (this.#text[this.#at] !== close) throw this.#fail(`"${close}" must follow what comes after the dot`)
        break
      }
      data.push(this.#datum())
    }
    this.#at++
    let result = tail
    for (let index = data.length - 1; index >= 0; index--) {
      const { value, place: item } = data[index] as Datum
      result = new SourcePair(value, result, index === 0 ? place : undefined, item)
    }
    return result
  }

  #string(place: Place): string {
    const text = this.#text
    let result = ''
    let from = ++this.#at
    for (;;) {
      const char = text[this.#at]
      if (char === undefined) throw this.#fail(`end of file; the string that starts at line ${place.line}, column ${place.column} is never closed`)
      if (char === '"') break
      if (char === '\n') this.#newline()
      if (char !== '\\') {
        this.#at++
        continue
      }
      result += text.slice(from, this.#at) + this.#escape()
      from = this.#at
    }
    return result + text.slice(from, this.#at++)
  }

  #escape(): string {
    const char = this.#text[++this.#at]
    const simple = char === undefined ? undefined : ESCAPES[char]
    if (simple !== undefined) {
      this.#at++
      return simple
    }
    const rest = this.#text.slice(this.#at, this.#at + 12)
    const hexadecimal = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{6}))/.exec(rest)
    if (hexadecimal !== null) {
      const code = parseInt(hexadecimal.slice(1).find((group) => group !== undefined) ?? '', 16)
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw this.#fail(`"\\${hexadecimal[0]}" is no character`)
      this.#at += hexadecimal[0].length
      return String.fromCodePoint(code)
    }
    if (char === '\n') {
      this.#newline()
      this.#at++
      return ''
    }
    throw this.#fail(`unknown escape "\\${char ?? ''}" in a string`)
  }

  #word(): string {
    const from = this.#at
    while (this.#at < this.#text.length && !DELIMITERS.has(this.#text[this.#at] ?? ' ')) this.#at++
    return this.#text.slice(from, this.#at)
  }

  #atom(): Value {
    const word = this.#word()
    const first = word.charCodeAt(0)
    if ((first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46) {
      const value = parseNumber(word)
      if (value !== undefined) return value
    }
    if (word === '.') throw this.#fail('a dot outside of a list')
    return intern(word)
  }

  #hash(place: Place): Value {
    const text = this.#text
    const second = text[this.#at + 1] ?? ''
    if (second === '(') {
      this.#at += 2
      const list = this.#list(')', place)
      const found: Value[] = []
      let rest = list
      for (; rest instanceof SourcePair; rest = rest.cdr) found.push(rest.car)
      return new Vector(found)
    }
    if (second === '\\') return this.#character()
    if (second === '{') {
      const end = text.indexOf('}#', this.#at)
      if (end < 0) throw this.#fail('"#{" without "}#"')
      const name = text.slice(this.#at + 2, end).replace(/\\x([0-9a-fA-F]+);/g, (_, hex: string) => String.fromCodePoint(parseInt(hex, 16)))
      this.#at = end + 2
      return intern(name)
    }
    const mark = [text.slice(this.#at, this.#at + 3), text.slice(this.#at, this.#at + 2)].find((candidate) => candidate in HASH_QUOTES)
    if (mark !== undefined) return this.#quoted(mark, HASH_QUOTES[mark] ?? '', place)
    if (second === ':') {
      this.#at += 2
      if (text.startsWith('#{', this.#at)) return keyword((this.#hash(place) as { name: string } & Value).name)
      const name = this.#word()
      if (name === '') throw this.#fail('a keyword needs a name')
      return keyword(name)
    }
    const word = this.#word()
    switch (word) {
      case '#t':
      case '#true': return true
      case '#f':
      case '#false': return false
      case '#!unspecified': return UNSPECIFIED
      default: {
        const value = parseNumber(word)
        if (value !== undefined) return value
        throw new Abort('unknown', `"${word}" is not known here`, place, word)
      }
    }
  }

  #character(): Value {
    this.#at += 2
    const start = this.#at
    const first = String.fromCodePoint(this.#text.codePointAt(start) ?? 0)
    if (start >= this.#text.length) throw this.#fail('end of file in a character')
    this.#at += first.length
    if (first === '\n') {
      this.#at--
      this.#newline()
      this.#at++
      return character(10)
    }
    if (!DELIMITERS.has(first)) this.#word()
    const word = this.#text.slice(start, this.#at)
    if (word === first) return character(first.codePointAt(0) ?? 0)
    const code = characterCode(word)
    if (code !== undefined) return character(code)
    throw this.#fail(`unknown character "#\\${word}"`)
  }
}
