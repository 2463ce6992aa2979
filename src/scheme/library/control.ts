/** Procedures about control: `catch throw error raise-exception with-exception-handler dynamic-wind call/cc values`, parameters and promises. */
import { Parameter, Primitive, Procedure, call, type Machine, type Result } from '../execution.js'
import { CatchFrame, Continuation, EscapeFrame, InnerHandlerFrame, NextFrame, keyAndArguments } from '../frame.js'
import { SchemeThrow, WrongType, failed, thrown } from '../throw.js'
import { Exception, Keyword, SchemeObject, Sym, UNSPECIFIED, asValues, items, list, valuesOf, type Value } from '../value.js'
import { ANY, process, symbol, type Table } from './check.js'

export const dynamicWind = new Primitive('dynamic-wind', 3, 3, (machine, before, thunk, after) => {
  machine.push(new NextFrame(() => {
    const outer = machine.winders
    machine.winders = { before: before, after: after, next: outer, depth: (outer?.depth ?? 0) + 1 }
    machine.push(new NextFrame((value) => {
      machine.winders = outer
      machine.push(new NextFrame(() => value))
      return machine.called(after, [])
    }))
    return machine.called(thunk, [])
  }))
  return machine.called(before, [])
})

function catchKey(machine: Machine, key: Value, thunk: Value, handler: Value, before?: Value): Result {
  machine.push(new CatchFrame(key, handler, before, machine.winders))
  return machine.called(thunk, [])
}

/** `#:unwind? #t`, `#:unwind-for-type KEY` and the like. */
function option(args: readonly Value[], name: string): Value | undefined {
  const at = args.findIndex((arg) => arg instanceof Keyword && arg.name === name)
  return at < 0 ? undefined : args[at + 1]
}

function withExceptionHandler(machine: Machine, handler: Value, thunk: Value, ...options: Value[]): Result {
  const type = option(options, 'unwind-for-type')
  const wants = type instanceof Sym ? (payload: Value): boolean => payload instanceof Exception && payload.key === type : undefined
  if ((option(options, 'unwind?') ?? false) !== false) machine.push(new EscapeFrame(machine.winders, (payload) => machine.apply(handler, [payload]), wants))
  else machine.push(new InnerHandlerFrame((inner, payload) => inner.called(handler, [payload]), wants))
  return machine.called(thunk, [])
}

function error(_machine: Machine, message?: Value, ...irritants: Value[]): never {
  if (message === undefined) throw failed('misc-error', false, '?', [])
  if (typeof message === 'string') throw failed('misc-error', false, ['~A', ...irritants.map(() => '~S')].join(' '), [message, ...irritants])
  throw failed('misc-error', false, ['~S', ...irritants.map(() => '~S')].join(' '), [message, ...irritants])
}

/** What `delay` makes. */
export class Promised extends SchemeObject {
  value: Value | undefined
  thunk: Value | undefined
  constructor(thunk: Value) {
    super()
    this.thunk = thunk
  }
  get type(): string { return 'promise' }
}

const isThrown = (value: Value): value is Exception => value instanceof Exception

/** Part of the arguments that `error` and the library give their exceptions: message and irritants. */
function messageOf(value: Value): { message: Value; irritants: Value } | undefined {
  if (!isThrown(value)) return undefined
  const [, format, args] = items(value.args) ?? []
  const given = items(args ?? false)
  if (value.key.name === 'misc-error' && given !== undefined && given.length > 0 && typeof format === 'string' && format.startsWith('~A')) return { message: given[0] as Value, irritants: list(given.slice(1)) }
  return typeof format === 'string' ? { message: format, irritants: args ?? list([]) } : undefined
}

export const control: Table = {
  catch: [3, 4, catchKey],
  'with-throw-handler': [3, 3, (machine, key, thunk, handler) => {
    const wants = (payload: Value): boolean => key === true || keyAndArguments(payload)[0] === key
    machine.push(new InnerHandlerFrame((inner, payload) => {
      inner.push(new NextFrame(() => { throw new SchemeThrow(payload) }))
      return inner.called(handler, keyAndArguments(payload))
    }, wants))
    return machine.called(thunk, [])
  }],
  throw: [1, ANY, (_machine, key, ...args) => { throw new SchemeThrow(new Exception(symbol(key, 1), list(args))) }],
  error: [0, ANY, error],
  'scm-error': [5, 5, (_machine, key, ...rest) => { throw new SchemeThrow(new Exception(symbol(key, 1), list(rest))) }],
  exit: [0, 1, (_machine, ...status) => { throw thrown('quit', ...status) }],
  quit: [0, 1, (_machine, ...status) => { throw thrown('quit', ...status) }],
  'with-exception-handler': [2, ANY, withExceptionHandler],
  values: [0, ANY, (_machine, ...found) => asValues(found)],
  'call-with-values': [2, 2, process(function* (_machine, producer, consumer) {
    return call(consumer, ...valuesOf(yield call(producer)))
  })],
  'procedure?': [1, 1, (_machine, value) => value instanceof Procedure],
  'thunk?': [1, 1, (_machine, value) => value instanceof Procedure],
  'make-parameter': [1, 2, process(function* (_machine, value, converter) {
    return new Parameter(converter === undefined ? value : yield call(converter, value), converter)
  })],
  'parameter?': [1, 1, (_machine, value) => value instanceof Parameter],
  force: [1, 1, process(function* (_machine, promise) {
    if (!(promise instanceof Promised)) throw new WrongType(1, promise, 'promise')
    if (promise.value === undefined && promise.thunk !== undefined) {
      const value = yield call(promise.thunk)
      promise.value ??= value
      promise.thunk = undefined
    }
    return promise.value ?? UNSPECIFIED
  })],
  'make-promise': [1, 1, (_machine, value) => {
    const promise = new Promised(value)
    promise.value = value
    return promise
  }],
  'promise?': [1, 1, (_machine, value) => value instanceof Promised],
  'exception?': [1, 1, (_machine, value) => isThrown(value)],
  'exception-kind': [1, 1, (_machine, value) => keyAndArguments(value)[0]],
  'exception-args': [1, 1, (_machine, value) => list(keyAndArguments(value).slice(1))],
  'and=>': [2, 2, (machine, value, procedure) => (value === false ? false : machine.apply(procedure, [value]))],
  identity: [1, 1, (_machine, value) => value],
  const: [1, 1, (_machine, value) => new Primitive('const', 0, ANY, () => value)],
  negate: [1, 1, (_machine, procedure) => new Primitive('negate', 0, ANY, process(function* (_inner, ...args) {
    return (yield call(procedure, ...args)) === false
  }))],
  compose: [1, ANY, (_machine, ...procedures) => new Primitive('compose', 0, ANY, process(function* (_inner, ...args) {
    let found: readonly Value[] = args
    for (const procedure of procedures.slice(1).reverse()) found = valuesOf(yield call(procedure, ...found))
    return call(procedures[0] as Value, ...found)
  }))],
  noop: [0, ANY, () => false],
}

/** Of `(ice-9 exceptions)`. */
export const exceptions: Table = {
  'exception-message': [1, 1, (_machine, value) => messageOf(value)?.message ?? false],
  'exception-irritants': [1, 1, (_machine, value) => messageOf(value)?.irritants ?? list([])],
  'exception-with-message?': [1, 1, (_machine, value) => messageOf(value) !== undefined],
  'exception-with-irritants?': [1, 1, (_machine, value) => messageOf(value) !== undefined],
  'error?': [1, 1, (_machine, value) => isThrown(value)],
}

/** These look at the frames around them, so the machine's loop runs them. */
export const controlPrimitives: readonly Primitive[] = [
  dynamicWind,
  new Primitive('raise-exception', 1, ANY, (machine, payload, ...options) => machine.raise(payload, (option(options, 'continuable?') ?? false) !== false), true),
  ...['call-with-current-continuation', 'call/cc'].map((name) => new Primitive(name, 1, 1, (machine, receiver) =>
    machine.apply(receiver, [new Continuation(machine.frames(), machine.winders)]), true)),
]
export const raise = new Primitive('raise', 1, 1, (machine, payload) => machine.raise(payload, true), true)
export const raiseContinuable = new Primitive('raise-continuable', 1, 1, (machine, payload) => machine.raise(payload, true), true)
export const escapes: readonly Primitive[] = ['call-with-escape-continuation', 'call/ec'].map((name) => new Primitive(name, 1, 1, (machine, receiver) =>
  machine.apply(receiver, [new Continuation(machine.frames(), machine.winders)]), true))

