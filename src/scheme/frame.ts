/** The frames that handle exceptions, and the plain ones. */
import { Frame, Procedure, type Machine, type Process, type Result, type Winder } from './execution.js'
import { failed, type SchemeThrow } from './throw.js'
import { Exception, asValues, intern, items, type Value } from './value.js'

/** Goes on with something that does not need the value. */
export class NextFrame extends Frame {
  readonly #then: (value: Value) => Result
  constructor(then: (value: Value) => Result) {
    super()
    this.#then = then
  }
  resume(_machine: Machine, value: Value): Result {
    return this.#then(value)
  }
}

export class IterationFrame extends Frame {
  readonly #process: Process
  constructor(process: Process) {
    super()
    this.#process = process
  }
  resume(machine: Machine, value: Value): Result {
    return machine.iterate(this.#process, value)
  }
}

/** Catches exceptions of what is called inside. */
export abstract class HandlerFrame extends Frame {
  abstract wants(payload: Value): boolean
  abstract handle(machine: Machine, payload: Value, continuable: boolean, origin: SchemeThrow): Result
  resume(_machine: Machine, value: Value): Result {
    return value
  }
}

/** Marks that a handler runs: what it raises goes to the handlers outside of its own. */
export class HandlerScope extends Frame {
  readonly outer: Frame | undefined
  readonly #continuable: boolean
  constructor(outer: Frame | undefined, continuable: boolean) {
    super()
    this.outer = outer
    this.#continuable = continuable
  }
  resume(_machine: Machine, value: Value): Result {
    if (this.#continuable) return value
    throw failed('misc-error', false, 'a handler returned from an exception that cannot be continued', [])
  }
}

const EXCEPTION = intern('%exception')

/** Key and arguments as `catch` shows them. */
export function keyAndArguments(payload: Value): [Value, ...Value[]] {
  return payload instanceof Exception ? [payload.key, ...(items(payload.args) ?? [])] : [EXCEPTION, payload]
}

/** `(catch key thunk handler)`. */
export class CatchFrame extends HandlerFrame {
  readonly #key: Value
  readonly #handler: Value
  readonly #before: Value | undefined
  readonly #winders: Winder | undefined
  constructor(key: Value, handler: Value, before: Value | undefined, winders: Winder | undefined) {
    super()
    this.#key = key
    this.#handler = handler
    this.#before = before
    this.#winders = winders
  }
  wants(payload: Value): boolean {
    return this.#key === true || keyAndArguments(payload)[0] === this.#key
  }
  handle(machine: Machine, payload: Value): Result {
    const leave = (): Result => machine.leaveTo(this.next, this.#winders, () => machine.apply(this.#handler, keyAndArguments(payload)))
    if (this.#before === undefined) return leave()
    machine.push(new HandlerScope(this.next, true))
    machine.push(new NextFrame(leave))
    return machine.called(this.#before, keyAndArguments(payload))
  }
}

/** Leaves what is inside and goes on with `then`: `guard`, `false-if-exception`, `with-exception-handler` with `#:unwind? #t`. */
export class EscapeFrame extends HandlerFrame {
  readonly #winders: Winder | undefined
  readonly #then: (payload: Value) => Result
  readonly #wants: (payload: Value) => boolean
  constructor(winders: Winder | undefined, then: (payload: Value) => Result, wants: (payload: Value) => boolean = () => true) {
    super()
    this.#winders = winders
    this.#then = then
    this.#wants = wants
  }
  wants(payload: Value): boolean {
    return this.#wants(payload)
  }
  handle(machine: Machine, payload: Value): Result {
    return machine.leaveTo(this.next, this.#winders, () => this.#then(payload))
  }
}

/** `(with-exception-handler handler thunk)`: the handler runs where the exception was raised. */
export class InnerHandlerFrame extends HandlerFrame {
  readonly #call: (machine: Machine, payload: Value) => Result
  readonly #wants: (payload: Value) => boolean
  constructor(call: (machine: Machine, payload: Value) => Result, wants: (payload: Value) => boolean = () => true) {
    super()
    this.#call = call
    this.#wants = wants
  }
  wants(payload: Value): boolean {
    return this.#wants(payload)
  }
  handle(machine: Machine, payload: Value, continuable: boolean): Result {
    machine.push(new HandlerScope(this.next, continuable))
    return this.#call(machine, payload)
  }
}

/** What `call/cc` hands out. */
export class Continuation extends Procedure {
  readonly name = 'continuation'
  readonly frames: Frame | undefined
  readonly winders: Winder | undefined
  constructor(frames: Frame | undefined, winders: Winder | undefined) {
    super()
    this.frames = frames
    this.winders = winders
  }
  result(args: readonly Value[]): Value {
    return asValues(args)
  }
}
