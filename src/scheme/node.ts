/** The compiled program: a tree of nodes that execute themselves on a machine. See machine.ts for how calls leave and come back. */
import { Closure, Frame, Node, PENDING, Pending, type Code, type Env, type Machine, type Result } from './execution.js'
import type { Variable } from './module.js'
import type { GlobalName } from './scope.js'
import { Abort, failed } from './throw.js'
import { UNSPECIFIED, type Place, type Value } from './value.js'

/** Goes on with the value of another node. */
class ThenFrame extends Frame {
  readonly #node: Continuing
  readonly #env: Env
  constructor(node: Continuing, env: Env) {
    super()
    this.#node = node
    this.#env = env
  }
  resume(machine: Machine, value: Value): Result {
    return this.#node.resume(machine, this.#env, value)
  }
}

/** A node that needs the value of one other node first. */
export abstract class Continuing extends Node {
  abstract readonly first: Node
  abstract resume(machine: Machine, env: Env, value: Value): Result
  exec(machine: Machine, env: Env): Result {
    const value = this.first.exec(machine, env)
    return value instanceof Pending ? machine.push(new ThenFrame(this, env)) : this.resume(machine, env, value)
  }
}

export class Constant extends Node {
  readonly value: Value
  constructor(value: Value) {
    super()
    this.value = value
  }
  exec(): Result {
    return this.value
  }
}

function frameAt(env: Env, distance: number): Env {
  for (let count = distance; count > 0; count--) env = env.up as Env
  return env
}

export class LocalReference extends Node {
  readonly #distance: number
  readonly #index: number
  readonly #name: string
  readonly #place: Place
  constructor(distance: number, index: number, name: string, place: Place) {
    super()
    this.#distance = distance
    this.#index = index
    this.#name = name
    this.#place = place
  }
  exec(machine: Machine, env: Env): Result {
    const value = frameAt(env, this.#distance).slots[this.#index]
    if (value !== undefined) return value
    machine.place = this.#place
    throw failed('misc-error', 'variable-ref', 'Unbound variable: ~A', [this.#name])
  }
}

export class LocalAssignment extends Continuing {
  readonly first: Node
  readonly #distance: number
  readonly #index: number
  constructor(distance: number, index: number, value: Node) {
    super()
    this.first = value
    this.#distance = distance
    this.#index = index
  }
  resume(_machine: Machine, env: Env, value: Value): Result {
    frameAt(env, this.#distance).slots[this.#index] = value
    return UNSPECIFIED
  }
}

/** Gives an optional argument its default, if it was not given. */
export class LocalDefault extends Node {
  readonly #index: number
  readonly #set: LocalAssignment
  constructor(index: number, value: Node) {
    super()
    this.#index = index
    this.#set = new LocalAssignment(0, index, value)
  }
  exec(machine: Machine, env: Env): Result {
    return env.slots[this.#index] === undefined ? this.#set.exec(machine, env) : UNSPECIFIED
  }
}

export class GlobalReference extends Node {
  #variable: Variable | undefined
  readonly #name: GlobalName | undefined
  readonly #place: Place
  constructor(variable: Variable | GlobalName, place: Place) {
    super()
    if ('identifier' in variable) this.#name = variable
    else this.#variable = variable
    this.#place = place
  }
  exec(): Result {
    return (this.#variable ??= this.#name === undefined ? undefined : lookUp(this.#name))?.value ?? this.#unbound()
  }
  #unbound(): never {
    throw unbound(this.#variable?.name ?? this.#name?.identifier.name ?? '', this.#place)
  }
}

function lookUp({ module, identifier }: GlobalName): Variable | undefined {
  const found = module.own(identifier)
  if (found !== undefined) return found
  return 'symbol' in identifier ? undefined : module.lookup(identifier)
}

export function unbound(name: string, place: Place): Abort {
  if (name.startsWith('gexp') || name.startsWith('ungexp')) return new Abort('syntax', 'a gexp belongs in the operating-system declaration, not in the machine file', place)
  return new Abort('unknown', `Unbound variable: ${name}`, place, name)
}

export class GlobalAssignment extends Continuing {
  readonly first: Node
  readonly #target: Variable | GlobalName
  readonly #place: Place
  constructor(target: Variable | GlobalName, value: Node, place: Place) {
    super()
    this.first = value
    this.#target = target
    this.#place = place
  }
  resume(_machine: Machine, _env: Env, value: Value): Result {
    const variable = 'identifier' in this.#target ? lookUp(this.#target) : this.#target
    if (variable === undefined) throw unbound((this.#target as GlobalName).identifier.name, this.#place)
    variable.value = value
    return UNSPECIFIED
  }
}

export class GlobalDefinition extends Continuing {
  readonly first: Node
  readonly #name: GlobalName
  constructor(name: GlobalName, value: Node) {
    super()
    this.first = value
    this.#name = name
  }
  resume(_machine: Machine, _env: Env, value: Value): Result {
    this.#name.module.define(this.#name.identifier, value)
    return UNSPECIFIED
  }
}

export class Conditional extends Continuing {
  readonly first: Node
  readonly #consequent: Node
  readonly #alternative: Node
  constructor(test: Node, consequent: Node, alternative: Node) {
    super()
    this.first = test
    this.#consequent = consequent
    this.#alternative = alternative
  }
  resume(machine: Machine, env: Env, value: Value): Result {
    return (value === false ? this.#alternative : this.#consequent).exec(machine, env)
  }
}

class SequenceFrame extends Frame {
  readonly #node: Sequence
  readonly #env: Env
  readonly #index: number
  constructor(node: Sequence, env: Env, index: number) {
    super()
    this.#node = node
    this.#env = env
    this.#index = index
  }
  resume(machine: Machine): Result {
    return this.#node.from(machine, this.#env, this.#index)
  }
}

/** `and` and `or` stop at a value, `begin` never does. */
export class Sequence extends Node {
  readonly #nodes: readonly Node[]
  constructor(nodes: readonly Node[]) {
    super()
    this.#nodes = nodes
  }
  exec(machine: Machine, env: Env): Result {
    return this.from(machine, env, 0)
  }
  from(machine: Machine, env: Env, index: number): Result {
    const last = this.#nodes.length - 1
    for (; index < last; index++) {
      if ((this.#nodes[index] as Node).exec(machine, env) === PENDING) return machine.push(new SequenceFrame(this, env, index + 1))
    }
    return (this.#nodes[last] as Node).exec(machine, env)
  }
}

/** `(or a b …)`, two at a time. */
export class Either extends Continuing {
  readonly first: Node
  readonly #second: Node
  constructor(first: Node, second: Node) {
    super()
    this.first = first
    this.#second = second
  }
  resume(machine: Machine, env: Env, value: Value): Result {
    return value === false ? this.#second.exec(machine, env) : value
  }
}

export class Lambda extends Node {
  readonly #code: Code
  constructor(code: Code) {
    super()
    this.#code = code
  }
  exec(_machine: Machine, env: Env): Closure {
    return new Closure(this.#code, env)
  }
}
