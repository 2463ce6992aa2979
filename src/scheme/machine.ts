/**
 * Runs compiled programs.
 *
 * A node is executed on the JavaScript stack as deep as the program text nests, no deeper: a call of a closure is not made but left in the machine
 * ({@link PENDING}), and every node on the way out that still needs its value leaves a frame. The loop here links these frames to the continuation,
 * makes the call, and hands values to frames. So tail calls need no space, recursion is limited by `limits.depth` and not by the stack of JavaScript, and
 * `catch`, `dynamic-wind` and continuations are walks along a list.
 */
import { bindArguments } from './arguments.js'
import { CaseClosure, Call, Closure, Env, Evaluation, PENDING, Parameter, Pending, Primitive, type Frame, type Machine, type Node, type Process, type Result, type Winder } from './execution.js'
import { Continuation, HandlerFrame, HandlerScope, IterationFrame, NextFrame } from './frame.js'
import { Abort, SchemeThrow, WrongType, failed } from './throw.js'
import { list, type Place, type Value } from './value.js'

/** An exception costs as much as this many calls. */
const RAISE_COST = 20

export interface Limits {
  /** Calls. */
  readonly steps: number
  /** Calls that wait for another one. */
  readonly depth: number
  /** Milliseconds; a backstop behind `steps`. */
  readonly time: number
}

/** A call that must wait for the world outside: a file to be read. */
class Suspension {
  readonly promise: Promise<Value>
  constructor(promise: Promise<Value>) {
    this.promise = promise
  }
}

export class Engine implements Machine {
  readonly #limits: Limits
  readonly #deadline: number
  #steps = 0
  #frames: Frame | undefined
  #first: Frame | undefined
  #last: Frame | undefined
  #pushed = 0
  #procedure: Value = false
  #args: Value[] = []
  #suspension: Suspension | undefined
  /** The library procedure that runs or ran last, for messages. */
  #subject = ''
  place: Place
  winders: Winder | undefined

  constructor(limits: Limits, place: Place) {
    this.#limits = limits
    this.#deadline = performance.now() + limits.time
    this.place = place
  }

  push(frame: Frame): Pending {
    if (this.#last === undefined) this.#first = frame
    else this.#last.next = frame
    this.#last = frame
    this.#pushed++
    return PENDING
  }

  apply(procedure: Value, args: Value[]): Result {
    return procedure instanceof Primitive && !procedure.control ? this.#primitive(procedure, args) : this.called(procedure, args)
  }

  called(procedure: Value, args: Value[]): Pending {
    this.#procedure = procedure
    this.#args = args
    return PENDING
  }

  #primitive(procedure: Primitive, args: Value[]): Result {
    if (args.length < procedure.minimum || args.length > procedure.maximum) throw wrongNumber(procedure)
    this.#subject = procedure.name
    return procedure.run(this, ...args)
  }

  iterate(process: Process, value?: Value): Result {
    let input = value as Value
    for (;;) {
      const step = process.next(input)
      const wanted = step.value
      let result: Result
      this.charge(1)
      if (wanted instanceof Call) result = this.apply(wanted.procedure, wanted.args)
      else if (wanted instanceof Evaluation) result = wanted.node.exec(this, wanted.env)
      else return wanted
      if (step.done === true) return result
      if (result instanceof Pending) return this.push(new IterationFrame(process))
      input = result
    }
  }

  suspend(promise: Promise<Value>): Pending {
    this.#suspension = new Suspension(promise)
    return PENDING
  }

  charge(steps: number): void {
    this.#steps += steps
    if (this.#steps > this.#limits.steps) throw new Abort('limit', `still not done after ${this.#limits.steps} steps`)
  }

  /** Runs a node to its value. */
  async run(node: Node, env: Env): Promise<Value> {
    this.#frames = undefined
    this.#clear()
    let next: () => Result = () => node.exec(this, env)
    for (;;) {
      const outcome = this.#loop(next)
      if (!(outcome instanceof Suspension)) return outcome
      next = await outcome.promise.then((value) => () => value, (error: unknown) => () => { throw error })
    }
  }

  #clear(): void {
    this.#first = this.#last = undefined
    this.#pushed = 0
  }

  #link(): void {
    if (this.#last === undefined || this.#first === undefined) return
    const depth = (this.#frames?.depth ?? 0) + this.#pushed
    if (depth > this.#limits.depth) throw new Abort('limit', `calls nested more than ${this.#limits.depth} deep`)
    this.#last.next = this.#frames
    this.#frames = this.#first
    let own = depth
    for (let frame: Frame | undefined = this.#first; frame !== this.#last.next; frame = frame?.next) if (frame !== undefined) frame.depth = own--
    this.#clear()
  }

  #loop(start: () => Result): Value | Suspension {
    let next: (() => Result) | undefined = start
    for (;;) {
      try {
        let value: Result
        if (next === undefined) value = this.#call()
        else {
          const begin: () => Result = next
          next = undefined
          value = begin()
        }
        for (;;) {
          if (value instanceof Pending) {
            this.#link()
            if (this.#suspension !== undefined) {
              const suspension = this.#suspension
              this.#suspension = undefined
              return suspension
            }
            value = this.#call()
          } else {
            const frame: Frame | undefined = this.#frames
            if (frame === undefined) return value
            this.#frames = frame.next
            value = frame.resume(this, value)
          }
        }
      } catch (error) {
        this.#clear()
        const raised = this.#located(error)
        next = () => this.raise(raised.payload, false, raised)
      }
    }
  }

  #call(): Result {
    this.#step()
    const procedure = this.#procedure
    if (procedure instanceof Closure) {
      const { code } = procedure
      const args = this.#args
      const slots = args.length === code.required && code.rest < 0 && code.keywords === undefined ? args : bindArguments(procedure, args)
      return code.body.exec(this, new Env(slots, procedure.env))
    }
    if (procedure instanceof Primitive) return this.#primitive(procedure, this.#args)
    if (procedure instanceof Continuation) return this.#jump(procedure, this.#args)
    if (procedure instanceof Parameter) return procedure.value
    if (procedure instanceof CaseClosure) {
      const count = this.#args.length
      const chosen = procedure.cases.find(({ code }) => count >= code.required && (code.rest >= 0 || count <= code.required + code.optional || code.keywords !== undefined))
      if (chosen === undefined) throw wrongNumber(procedure)
      this.#procedure = chosen
      return PENDING
    }
    throw failed('wrong-type-arg', false, 'Wrong type to apply: ~S', [procedure], list([procedure]))
  }

  #step(): void {
    if (++this.#steps > this.#limits.steps) throw new Abort('limit', `still not done after ${this.#limits.steps} steps`)
    if ((this.#steps & 4095) === 0 && performance.now() > this.#deadline) throw new Abort('limit', `still not done after ${this.#limits.time} ms`)
  }

  /** Turns what was thrown into what handlers see; what they must not see goes on. */
  #located(error: unknown): SchemeThrow {
    if (error instanceof Abort) {
      error.place ??= this.place
      throw error
    }
    if (error instanceof WrongType) error = this.#wrongType(error)
    if (error instanceof RangeError && /call stack|string length|BigInt|array length/i.test(error.message)) throw new Abort('limit', 'too much for one machine file', this.place)
    if (!(error instanceof SchemeThrow)) throw error
    error.place ??= this.place
    return error
  }

  #wrongType({ position, value, expecting }: WrongType): SchemeThrow {
    return expecting === undefined
      ? failed('wrong-type-arg', this.#subject, 'Wrong type argument in position ~A: ~S', [BigInt(position), value], list([value]))
      : failed('wrong-type-arg', this.#subject, 'Wrong type argument in position ~A (expecting ~A): ~S', [BigInt(position), expecting, value], list([value]))
  }

  /** Hands an exception to the innermost handler that wants it. */
  raise(payload: Value, continuable: boolean, origin = new SchemeThrow(payload, continuable)): Result {
    origin.place ??= this.place
    this.charge(RAISE_COST)
    this.#link()
    let frame = this.#frames
    while (frame !== undefined) {
      if (frame instanceof HandlerScope) frame = frame.outer
      else {
        if (frame instanceof HandlerFrame && frame.wants(payload)) break
        frame = frame.next
      }
    }
    if (frame === undefined) throw new Uncaught(origin)
    return (frame).handle(this, payload, continuable, origin)
  }

  leaveTo(frame: Frame | undefined, winders: Winder | undefined, then: () => Result): Result {
    this.#clear()
    this.#frames = frame
    return this.#rewind(winders, then)
  }

  /** Runs the `after` thunks of what is left and the `before` thunks of what is entered. */
  #rewind(target: Winder | undefined, then: () => Result): Result {
    const here = this.winders
    if (here === target) return then()
    const depth = (winder: Winder | undefined): number => winder?.depth ?? 0
    if (depth(here) >= depth(target) && here !== undefined) {
      this.winders = here.next
      const result = this.apply(here.after, [])
      if (result === PENDING) return this.push(new NextFrame(() => this.#rewind(target, then)))
      return this.#rewind(target, then)
    }
    const entered = target as Winder
    return this.#rewind(entered.next, () => {
      const result = this.apply(entered.before, [])
      const enter = (): Result => {
        this.winders = entered
        return then()
      }
      return result === PENDING ? this.push(new NextFrame(enter)) : enter()
    })
  }

  frames(): Frame | undefined {
    return this.#frames
  }

  #jump(target: Continuation, args: Value[]): Result {
    return this.leaveTo(target.frames, target.winders, () => target.result(args))
  }
}

/** No handler wanted it. */
export class Uncaught extends Error {
  readonly origin: SchemeThrow
  constructor(origin: SchemeThrow) {
    super('an exception nobody caught')
    this.origin = origin
  }
}

function wrongNumber(procedure: Value): SchemeThrow {
  return failed('wrong-number-of-args', false, 'Wrong number of arguments to ~A', [procedure], false)
}
