/** `define-values`: one variable for each value. */
import { Continuing, GlobalDefinition, LocalAssignment, Sequence, Constant } from '../node.js'
import type { Env, Machine, Node, Result } from '../execution.js'
import { compile } from '../compile.js'
import { isIdentifier, itemPlace, type Identifier, type Scope } from '../scope.js'
import { failed, syntaxError } from '../throw.js'
import { NIL, Pair, UNSPECIFIED, list, valuesOf, type Place, type Value } from '../value.js'

/** Gives each of several values to a setter; the last setter may take all that are left. */
export class Distribute extends Continuing {
  readonly first: Node
  readonly #count: number
  readonly #rest: boolean
  readonly #set: (values: readonly Value[]) => Node
  readonly #place: Place
  constructor(first: Node, count: number, rest: boolean, place: Place, set: (values: readonly Value[]) => Node) {
    super()
    this.first = first
    this.#count = count
    this.#rest = rest
    this.#place = place
    this.#set = set
  }
  resume(machine: Machine, env: Env, value: Value): Result {
    const found = valuesOf(value)
    machine.place = this.#place
    if (found.length < this.#count || (!this.#rest && found.length > this.#count)) {
      throw failed('vm-error', false, 'Wrong number of values returned to continuation (expected ~a)', [BigInt(this.#count)])
    }
    const shaped = found.slice(0, this.#count)
    if (this.#rest) shaped.push(list(found.slice(this.#count)))
    return this.#set(shaped).exec(machine, env)
  }
}

function parse(form: Pair, place: Place): { names: Identifier[]; count: number; rest: boolean; expression: Value; at: Place } {
  if (!(form.cdr instanceof Pair) || !(form.cdr.cdr instanceof Pair) || form.cdr.cdr.cdr !== NIL) throw syntaxError('bad define-values', place)
  const names: Identifier[] = []
  let formals: Value = form.cdr.car
  for (; formals instanceof Pair; formals = formals.cdr) {
    if (!isIdentifier(formals.car)) throw syntaxError('bad define-values', place)
    names.push(formals.car)
  }
  const count = names.length
  if (formals !== NIL) {
    if (!isIdentifier(formals)) throw syntaxError('bad define-values', place)
    names.push(formals)
  }
  return { names, count, rest: names.length > count, expression: form.cdr.cdr.car, at: itemPlace(form.cdr.cdr, place) }
}

const each = (nodes: readonly Node[]): Node => (nodes.length === 0 ? new Constant(UNSPECIFIED) : new Sequence(nodes))

/** In a body: takes the names at once, gives the node later. */
export function compileDefineValues(form: Pair, scope: Scope, place: Place): () => Node {
  const { names, count, rest, expression, at } = parse(form, place)
  const locals = names.map((name) => scope.own(name))
  return () => new Distribute(compile(expression, scope, at), count, rest, place, (values) => each(locals.map((local, index) => new LocalAssignment(0, local.index, new Constant(values[index] as Value)))))
}

export function compileGlobalDefineValues(form: Pair, scope: Scope, place: Place): Node {
  const { names, count, rest, expression, at } = parse(form, place)
  const set = (values: readonly Value[]): Node => each(names.map((identifier, index) => new GlobalDefinition({ module: scope.module, identifier }, new Constant(values[index] as Value))))
  return new Distribute(compile(expression, scope, at), count, rest, place, set)
}
