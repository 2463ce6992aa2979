/**
 * Ports. An input port is a text with a position: files are read as a whole when they are opened. An output port collects text; what is written to the
 * current output is handed to the world line by line.
 */
import { Parameter, Primitive, call, type Machine, type Process, type Result } from '../execution.js'
import { dynamicWind } from './control.js'
import { print } from '../printer.js'
import { Reader } from '../reader.js'
import { WrongType, beyond, failed } from '../throw.js'
import { EOF, SchemeObject, Sym, UNSPECIFIED, asValues, intern, type Value } from '../value.js'
import { ANY, MAXIMUM_LENGTH, char, index, process, string, type Entry, type Table } from './check.js'
import { charOf, charSetOf, points } from './text.js'

export class InputPort extends SchemeObject {
  readonly text: string
  readonly name: string
  position = 0
  constructor(text: string, name: string) {
    super()
    this.text = text
    this.name = name
  }
  get type(): string { return 'port' }

  /** The next `length` units of text, or up to `end`. */
  take(end: number): string {
    const found = this.text.slice(this.position, end)
    this.position = Math.min(end, this.text.length)
    return found
  }
  get done(): boolean { return this.position >= this.text.length }
}

export class OutputPort extends SchemeObject {
  text = ''
  readonly #flush: ((line: string) => void) | undefined
  constructor(flush?: (line: string) => void) {
    super()
    this.#flush = flush
  }
  get type(): string { return 'port' }

  write(text: string): void {
    this.text += text
    if (this.text.length > MAXIMUM_LENGTH) throw failed('out-of-range', false, 'Output is too large', [], false)
    if (this.#flush === undefined) return
    const lines = this.text.split('\n')
    this.text = lines.pop() ?? ''
    for (const line of lines) this.#flush(line)
  }

  /** Hands on a line without end. */
  finish(): void {
    if (this.text !== '') this.#flush?.(this.text)
    this.text = ''
  }
}

/** Where files, and lines for people, come from and go to. */
export interface PortWorld {
  readonly openInput: (machine: Machine, file: Value) => Result
  readonly print: (line: string) => void
}

export function inputPort(value: Value, position: number): InputPort {
  if (value instanceof InputPort) return value
  throw new WrongType(position, value, 'input port')
}

function line(port: InputPort): { text: string; end: string } | undefined {
  if (port.done) return undefined
  const end = port.text.indexOf('\n', port.position)
  const text = port.take(end < 0 ? port.text.length : end)
  if (end >= 0) port.position++
  return { text, end: end < 0 ? '' : '\n' }
}

function readLine(port: InputPort, how: string): Value {
  const found = line(port)
  if (found === undefined) return how === 'split' ? asValues([EOF, EOF]) : EOF
  switch (how) {
    case 'trim': return found.text
    case 'concat': return found.text + found.end
    case 'split': return asValues([found.text, found.end === '' ? EOF : charOf(found.end)])
    case 'peek':
      port.position -= found.end.length
      return found.text
    default: throw beyond(`read-line with '${how}`)
  }
}

function all(port: InputPort): string {
  return port.take(port.text.length)
}

function* swapped(parameter: Parameter, value: Value, thunk: Value): Process {
  let other = value
  const swap = new Primitive('swap', 0, 0, () => {
    [parameter.value, other] = [other, parameter.value]
    return UNSPECIFIED
  })
  return yield call(dynamicWind, swap, thunk, swap)
}

export function portProcedures(world: PortWorld): { tables: Readonly<Record<'guile' | 'rdelim' | 'textual', Table>>; current: OutputPort; parameters: ReadonlyMap<string, Parameter> } {
  const current = new OutputPort(world.print)
  const output = new Parameter(current, undefined)
  const input = new Parameter(new InputPort('', 'standard input'), undefined)
  const out = (value: Value | undefined, position: number): OutputPort => {
    const port = value === undefined || value === true ? output.value : value
    if (port instanceof OutputPort) return port
    throw new WrongType(position, port, 'output port')
  }
  const inp = (value: Value | undefined, position: number): InputPort => inputPort(value ?? input.value, position)
  const writing = (write: boolean): Entry => [1, 2, (_machine, value, port) => {
    out(port, 2).write(print(value, write))
    return UNSPECIFIED
  }]
  const open = new Primitive('open-input-file', 1, ANY, (machine, file) => world.openInput(machine, file))
  const charFrom = (advance: boolean): Entry => [0, 1, (_machine, port) => {
    const from = inp(port, 1)
    if (from.done) return EOF
    const text = String.fromCodePoint(from.text.codePointAt(from.position) ?? 0)
    if (advance) from.position += text.length
    return charOf(text)
  }]
  const delimited: Entry = [1, 3, (_machine, delimiters, port, how = intern('trim')) => {
    const from = inp(port, 2)
    if (!(how instanceof Sym) || (how.name !== 'trim' && how.name !== 'concat' && how.name !== 'peek')) throw beyond('read-delimited with that handling')
    if (from.done) return EOF
    const wanted = charSetOf(delimiters, 1)
    let end = from.position
    while (end < from.text.length && !wanted.contains(from.text[end] ?? '')) end++
    const text = from.take(end)
    if (how.name === 'peek' || from.done) return text
    return how.name === 'concat' ? text + from.take(end + 1) : (from.position++, text)
  }]
  const guile: Table = {
    'call-with-input-file': [2, ANY, process(function* (_machine, file, procedure) {
      return call(procedure, yield call(open, file))
    })],
    'with-input-from-file': [2, ANY, process(function* (_machine, file, thunk) {
      return yield* swapped(input, yield call(open, file), thunk)
    })],
    'open-input-file': [1, ANY, (machine, file) => world.openInput(machine, file)],
    'open-file': [2, ANY, (machine, file, mode) => {
      if (!/^r[0be]*$/.test(string(mode, 2))) throw beyond('a file opened for writing')
      return world.openInput(machine, file)
    }],
    'open-input-string': [1, 1, (_machine, text) => new InputPort(string(text, 1), 'string')],
    'call-with-input-string': [2, 2, (machine, text, procedure) => machine.apply(procedure, [new InputPort(string(text, 1), 'string')])],
    'with-input-from-string': [2, 2, process(function* (_machine, text, thunk) {
      return yield* swapped(input, new InputPort(string(text, 1), 'string'), thunk)
    })],
    'open-output-string': [0, 0, () => new OutputPort()],
    'get-output-string': [1, 1, (_machine, port) => out(port, 1).text],
    'call-with-output-string': [1, 1, process(function* (_machine, procedure) {
      const port = new OutputPort()
      yield call(procedure, port)
      return port.text
    })],
    'with-output-to-string': [1, 1, process(function* (_machine, thunk) {
      const port = new OutputPort()
      yield* swapped(output, port, thunk)
      return port.text
    })],
    'port?': [1, 1, (_machine, value) => value instanceof InputPort || value instanceof OutputPort],
    'input-port?': [1, 1, (_machine, value) => value instanceof InputPort],
    'output-port?': [1, 1, (_machine, value) => value instanceof OutputPort],
    'close-port': [1, 1, () => true],
    'close-input-port': [1, 1, () => true],
    'close-output-port': [1, 1, () => true],
    'force-output': [0, 1, () => UNSPECIFIED],
    'read-char': charFrom(true),
    'peek-char': charFrom(false),
    read: [0, 1, (_machine, port) => {
      const from = inp(port, 1)
      const reader = new Reader(from.text.slice(from.position), from.name)
      const datum = reader.next()
      from.position += reader.position
      return datum?.value ?? EOF
    }],
    display: writing(false),
    write: writing(true),
    'write-char': [1, 2, (_machine, value, port) => {
      out(port, 2).write(char(value, 1).text)
      return UNSPECIFIED
    }],
    newline: [0, 1, (_machine, port) => {
      out(port, 1).write('\n')
      return UNSPECIFIED
    }],
    'object->string': [1, 2, (_machine, value, printer) => {
      if (printer !== undefined && !(printer instanceof Primitive && (printer.name === 'display' || printer.name === 'write'))) throw beyond('object->string with that printer')
      return print(value, !(printer instanceof Primitive && printer.name === 'display'))
    }],
  }
  const rdelim: Table = {
    'read-line': [0, 2, (_machine, port, how = intern('trim')) => readLine(inp(port, 1), how instanceof Sym ? how.name : '')],
    'read-string': [0, 2, (_machine, port, count) => {
      const from = inp(port, 1)
      return count === undefined ? all(from) : from.take(from.position + index(count, 2))
    }],
    'read-delimited': delimited,
    'write-line': [1, 2, (_machine, value, port) => {
      out(port, 2).write(`${print(value, false)}\n`)
      return UNSPECIFIED
    }],
  }
  const textual: Table = {
    'get-string-all': [1, 1, (_machine, port) => all(inputPort(port, 1))],
    'get-line': [1, 1, (_machine, port) => readLine(inputPort(port, 1), 'trim')],
    'get-char': [1, 1, charFrom(true)[2]],
    'lookahead-char': [1, 1, charFrom(false)[2]],
    'get-string-n': [2, 2, (_machine, port, count) => {
      const from = inputPort(port, 1)
      if (from.done) return EOF
      const text = points(from.text.slice(from.position)).slice(0, index(count, 2)).join('')
      from.position += text.length
      return text
    }],
    'put-string': [2, 4, (_machine, port, text) => {
      out(port, 1).write(string(text, 2))
      return UNSPECIFIED
    }],
    'put-char': [2, 2, (_machine, port, value) => {
      out(port, 1).write(char(value, 2).text)
      return UNSPECIFIED
    }],
  }
  const parameters = new Map([['current-output-port', output], ['current-error-port', new Parameter(current, undefined)], ['current-warning-port', new Parameter(current, undefined)], ['current-input-port', input]])
  return { tables: { guile, rdelim, textual }, current, parameters }
}
