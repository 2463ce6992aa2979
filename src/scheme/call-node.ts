/** Nodes that evaluate several others in order: calls, `let`, and what else needs a row of values. */
import { Env, Frame, Node, Pending, type Machine, type Result } from './execution.js'
import { MultipleValues, type Place, type Value } from './value.js'

class RowFrame extends Frame {
  readonly #node: Row
  readonly #env: Env
  readonly #found: readonly Value[]
  constructor(node: Row, env: Env, found: readonly Value[]) {
    super()
    this.#node = node
    this.#env = env
    this.#found = found
  }
  resume(machine: Machine, value: Value): Result {
    return this.#node.from(machine, this.#env, [...this.#found, only(value)])
  }
}

/** Where one value is wanted, the first of several is taken. */
const only = (value: Value): Value => (value instanceof MultipleValues && value.items.length > 0 ? value.items[0] as Value : value)

/** Evaluates its items from left to right, then does something with the values. */
export abstract class Row extends Node {
  readonly items: readonly Node[]
  constructor(items: readonly Node[]) {
    super()
    this.items = items
  }
  abstract finish(machine: Machine, env: Env, values: Value[]): Result

  exec(machine: Machine, env: Env): Result {
    return this.from(machine, env, [])
  }

  from(machine: Machine, env: Env, values: Value[]): Result {
    for (let index = values.length; index < this.items.length; index++) {
      const value = (this.items[index] as Node).exec(machine, env)
      if (value instanceof Pending) return machine.push(new RowFrame(this, env, values))
      values.push(only(value))
    }
    return this.finish(machine, env, values)
  }
}

/** A call; the first item is the procedure. */
export class Application extends Row {
  readonly #place: Place
  constructor(items: readonly Node[], place: Place) {
    super(items)
    this.#place = place
  }
  finish(machine: Machine, _env: Env, values: Value[]): Result {
    const procedure = values.shift() as Value
    machine.place = this.#place
    return machine.apply(procedure, values)
  }
}

/** `let`: a new frame with the values. */
export class Let extends Row {
  readonly #body: Node
  constructor(items: readonly Node[], body: Node) {
    super(items)
    this.#body = body
  }
  finish(machine: Machine, env: Env, values: Value[]): Result {
    return this.#body.exec(machine, new Env(values, env))
  }
}

/** Hands the values to a function of ours. */
export class Builtin extends Row {
  readonly #place: Place
  readonly #run: (machine: Machine, values: Value[], env: Env) => Result
  constructor(items: readonly Node[], place: Place, run: (machine: Machine, values: Value[], env: Env) => Result) {
    super(items)
    this.#place = place
    this.#run = run
  }
  finish(machine: Machine, env: Env, values: Value[]): Result {
    machine.place = this.#place
    return this.#run(machine, values, env)
  }
}
