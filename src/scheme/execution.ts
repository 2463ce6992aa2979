/** What running a program is made of: nodes, environments, frames of the continuation, procedures, and the machine that they all talk to. */
import type { SchemeThrow } from './throw.js'
import { SchemeObject, type Place, type Value } from './value.js'

/** "No value yet": the machine holds a call that must be made first, and frames that wait for it. */
export class Pending {
  readonly pending = true
}
export const PENDING = new Pending()
export type Result = Value | Pending

/** The variables of one call or `let`. */
export class Env {
  readonly slots: (Value | undefined)[]
  readonly up: Env | undefined
  constructor(slots: (Value | undefined)[], up: Env | undefined) {
    this.slots = slots
    this.up = up
  }
}

/** A piece of compiled program. */
export abstract class Node {
  abstract exec(machine: Machine, env: Env): Result
}

/** Waits for a value: a link of the continuation. Never changes once it is linked, except for the iterations of library procedures. */
export abstract class Frame {
  next: Frame | undefined
  depth = 0
  abstract resume(machine: Machine, value: Value): Result
}

/** An entry of `dynamic-wind`. */
export interface Winder {
  readonly before: Value
  readonly after: Value
  readonly next: Winder | undefined
  readonly depth: number
}

/** What nodes, frames and library procedures may ask of the machine. */
export interface Machine {
  /** Where the call that runs or ran last stands in the file. */
  place: Place
  winders: Winder | undefined
  /** Leaves a frame for the call that is pending; inner frames come first. */
  push(frame: Frame): Pending
  /** Calls a procedure: at once if it is of the library, else by leaving it to the loop. */
  apply(procedure: Value, args: Value[]): Result
  /** Leaves the call of any procedure to the loop: for callers that have just pushed a frame. */
  called(procedure: Value, args: Value[]): Pending
  /** Runs a library procedure that calls others. */
  iterate(process: Process, value?: Value): Result
  /** Waits for the world. */
  suspend(promise: Promise<Value>): Pending
  /** Counts work against the limit. */
  charge(steps: number): void
  /** Hands an exception to the innermost handler that wants it. Only from the loop: in a `control` primitive or a frame. */
  raise(payload: Value, continuable: boolean, origin?: SchemeThrow): Result
  /** Leaves everything inside of `frame`, running what `dynamic-wind` wants run, then goes on. Only from the loop. */
  leaveTo(frame: Frame | undefined, winders: Winder | undefined, then: () => Result): Result
  /** The frames around the call that runs now. Only from the loop. */
  frames(): Frame | undefined
}

export abstract class Procedure extends SchemeObject {
  abstract readonly name: string
  get type(): string { return 'procedure' }
}

export type Behaviour = (machine: Machine, ...args: Value[]) => Result

/** A procedure of the library. One that looks at its continuation (`control`) is run by the machine's loop, when the frames around it are in place. */
export class Primitive extends Procedure {
  readonly name: string
  readonly minimum: number
  readonly maximum: number
  readonly run: Behaviour
  readonly control: boolean
  constructor(name: string, minimum: number, maximum: number, run: Behaviour, control = false) {
    super()
    this.control = control
    this.name = name
    this.minimum = minimum
    this.maximum = maximum
    this.run = run
  }
}

/** What `lambda` and its relatives compile to. */
export interface Code {
  readonly name: string
  readonly required: number
  readonly optional: number
  /** Keyword arguments by name, with the slot each goes to; undefined without `#:key`. */
  readonly keywords: ReadonlyMap<string, number> | undefined
  readonly allowOtherKeys: boolean
  /** The slot of the rest argument; -1 without. */
  readonly rest: number
  readonly body: Node
}

export class Closure extends Procedure {
  readonly code: Code
  readonly env: Env | undefined
  constructor(code: Code, env: Env | undefined) {
    super()
    this.code = code
    this.env = env
  }
  get name(): string { return this.code.name }
}

export class CaseClosure extends Procedure {
  readonly name: string
  readonly cases: readonly Closure[]
  constructor(name: string, cases: readonly Closure[]) {
    super()
    this.name = name
    this.cases = cases
  }
}

/** `(make-parameter value converter)`. Called without arguments it gives its value. */
export class Parameter extends Procedure {
  readonly name = 'parameter'
  value: Value
  readonly converter: Value | undefined
  constructor(value: Value, converter: Value | undefined) {
    super()
    this.value = value
    this.converter = converter
  }
}

/** What a library procedure yields to have another procedure called. */
export class Call {
  readonly procedure: Value
  readonly args: Value[]
  constructor(procedure: Value, args: Value[]) {
    this.procedure = procedure
    this.args = args
  }
}
export const call = (procedure: Value, ...args: Value[]): Call => new Call(procedure, args)

/** … or an expression evaluated. */
export class Evaluation {
  readonly node: Node
  readonly env: Env
  constructor(node: Node, env: Env) {
    this.node = node
    this.env = env
  }
}

/** A procedure written as a generator: it yields the calls it needs, and may return one as its tail call. */
export type Process = Generator<Call | Evaluation, Value | Call | Evaluation, Value>
