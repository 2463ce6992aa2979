/** Values as text: `write` and `display`. Long and circular lists are cut off. */
import { CaseClosure, Closure, Primitive, Procedure } from './execution.js'
import { isNumber } from './number.js'
import { parseNumber, printNumber } from './number-text.js'
import { Char, DEFAULT, Exception, Keyword, MultipleValues, NIL, Pair, RecordInstance, Sym, Vector, type SchemeObject, type Value } from './value.js'

const MAXIMUM_ITEMS = 100_000
const MAXIMUM_DEPTH = 1_000
const NAMES = new Map([[32, 'space'], [10, 'newline'], [9, 'tab'], [13, 'return'], [0, 'nul'], [7, 'alarm'], [8, 'backspace'], [127, 'delete'], [27, 'escape'], [12, 'page'], [11, 'vtab']])
const ESCAPES = new Map([['"', '\\"'], ['\\', '\\\\'], ['\n', '\\n'], ['\t', '\\t'], ['\r', '\\r'], ['\x07', '\\a'], ['\b', '\\b'], ['\f', '\\f'], ['\v', '\\v'], ['\0', '\\0']])

function writeString(text: string): string {
   
  return `"${text.replace(/["\\\x00-\x1f\x7f-\x9f]/g, (char) => ESCAPES.get(char) ?? `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')};`)}"`
}

function writeSymbol(name: string): string {
  if (name !== '' && name !== '.' && !/[\s()[\]{}"';,`|]|^#(?!:)|^:|:$/.test(name) && parseNumber(name) === undefined && !/^[+-]?\d/.test(name)) return name
  return `#{${name.replace(/[\s()[\]{}"';,`|\\]/g, (char) => (char === ' ' || char === ';' ? char : `\\x${(char.codePointAt(0) ?? 0).toString(16)};`))}}#`
}

function writeChar(char: Char): string {
  const name = NAMES.get(char.code)
  return `#\\${name ?? (char.code < 32 ? `x${char.code.toString(16)}` : char.text)}`
}

function printList(value: Pair, write: boolean, depth: number): string {
  const parts: string[] = []
  let rest: Value = value
  for (; rest instanceof Pair; rest = rest.cdr) {
    if (parts.length >= MAXIMUM_ITEMS) return `(${parts.join(' ')} ...)`
    parts.push(print(rest.car, write, depth))
  }
  return `(${parts.join(' ')}${rest === NIL ? '' : ` . ${print(rest, write, depth)}`})`
}

function formals(closure: Closure): string {
  const { required, optional, rest } = closure.code
  const names = Array.from({ length: required }, () => '_')
  if (optional > 0) names.push('#:optional', ...Array.from({ length: optional }, () => '_'))
  return `(${names.join(' ')}${rest >= 0 ? `${names.length > 0 ? ' ' : ''}. _` : ''})`
}

function printObject(value: SchemeObject, write: boolean, depth: number): string {
  if (value instanceof Sym) return write ? writeSymbol(value.name) : value.name
  if (value instanceof Char) return write ? writeChar(value) : value.text
  if (value instanceof Keyword) return `#:${value.name}`
  if (value instanceof Vector) return `#(${value.items.map((item) => print(item, write, depth)).join(' ')})`
  if (value instanceof Closure) return `#<procedure ${value.name === '' ? 'anonymous' : value.name} ${formals(value)}>`
  if (value instanceof CaseClosure) return `#<procedure ${value.name === '' ? 'anonymous' : value.name}>`
  if (value instanceof Primitive) return `#<procedure ${value.name}>`
  if (value instanceof Procedure) return `#<procedure ${value.name}>`
  if (value instanceof RecordInstance) {
    const { name, fields } = value.recordType
    return `#<${name} ${fields.map((field, index) => `${field}: ${print(value.values[index] ?? false, write, depth)}`).join(' ')}>`
  }
  if (value instanceof MultipleValues) return value.items.map((item) => print(item, write, depth)).join(' ')
  if (value instanceof Exception) return `#<exception ${value.key.name} ${print(value.args, true, depth)}>`
  if (value === NIL || value === DEFAULT || value.type.startsWith('#<')) return value.type
  return `#<${value.type}>`
}

export function print(value: Value, write: boolean, depth = 0): string {
  if (depth > MAXIMUM_DEPTH) return '...'
  if (typeof value === 'string') return write ? writeString(value) : value
  if (typeof value === 'boolean') return value ? '#t' : '#f'
  if (isNumber(value)) return printNumber(value)
  return value instanceof Pair ? printList(value, write, depth + 1) : printObject(value, write, depth + 1)
}
