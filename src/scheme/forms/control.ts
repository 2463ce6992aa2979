/** `guard false-if-exception parameterize let-values let*-values receive`. */
import { Builtin, Let } from '../call-node.js'
import { argumentsOf, badForm, compile, compileSequence, formItems, type Item } from '../compile.js'
import { Env, Parameter, Primitive, call, type Machine, type Node, type Result } from '../execution.js'
import { EscapeFrame } from '../frame.js'
import { compileBody } from '../lambda.js'
import { dynamicWind } from '../library/control.js'
import { Continuing } from '../node.js'
import { isIdentifier, type FormCompiler, type Scope } from '../scope.js'
import { compileClauses } from './conditional.js'
import { failed, syntaxError, WrongType } from '../throw.js'
import { NIL, Pair, UNSPECIFIED, valuesOf, list, type Place, type Value } from '../value.js'

/** A call of a thunk that runs `node`: for what must happen in the loop, with frames in place. */
function inFrame(node: Node, env: Env): Primitive {
  return new Primitive('body', 0, 0, (machine) => node.exec(machine, env), true)
}

/** `(guard (variable clause …) body …)`. */
const compileGuard: FormCompiler = (form, scope, place) => {
  const [spec] = argumentsOf(form, place, 2) as [Item]
  if (!(spec.value instanceof Pair) || !isIdentifier(spec.value.car)) throw badForm(form, place)
  const inner = scope.child()
  inner.add(spec.value.car)
  const again = new Builtin([], place, (machine, _values, env) => machine.called(new Primitive('raise-continuable', 0, 0, (here) => here.raise(env.slots[0] as Value, true), true), []))
  const clauses = compileClauses(formItems(spec.value.cdr, spec.place), inner, again)
  const body = compileBody((form.cdr as Pair).cdr, scope.child(), place)
  return new Builtin([], place, (machine, _values, env) => {
    const { winders } = machine
    machine.push(new EscapeFrame(winders, (payload) => clauses.exec(machine, new Env([payload], env))))
    return machine.called(inFrame(body, new Env([], env)), [])
  })
}

const compileFalseIfException: FormCompiler = (form, scope, place) => {
  const body = compileSequence(form.cdr, scope, place)
  return new Builtin([], place, (machine, _values, env) => {
    machine.push(new EscapeFrame(machine.winders, () => false))
    return machine.called(inFrame(body, env), [])
  })
}

/** `(parameterize ((parameter value) …) body …)`: sets on the way in, sets back on the way out, however it is left. */
const compileParameterize: FormCompiler = (form, scope, place) => {
  const rest = form.cdr
  if (!(rest instanceof Pair) || !(rest.cdr instanceof Pair)) throw badForm(form, place)
  const pairs = formItems(rest.car, place).map((item) => formItems(item.value, item.place) as [Item, Item])
  const nodes = pairs.flatMap(([parameter, value]) => [compile(parameter.value, scope, parameter.place), compile(value.value, scope, value.place)])
  const body = compileBody(rest.cdr, scope.child(), place)
  return new Builtin(nodes, place, (machine, values, env) => machine.iterate((function* () {
    const changes: { parameter: Parameter; value: Value }[] = []
    for (let index = 0; index < values.length; index += 2) {
      const parameter = values[index] as Value
      if (!(parameter instanceof Parameter)) throw new WrongType(1, parameter, 'parameter')
      const value = values[index + 1] as Value
      changes.push({ parameter, value: parameter.converter === undefined ? value : yield call(parameter.converter, value) })
    }
    const swap = new Primitive('swap', 0, 0, () => {
      for (const change of changes) [change.parameter.value, change.value] = [change.value, change.parameter.value]
      return UNSPECIFIED
    })
    return call(dynamicWind, swap, inFrame(body, new Env([], env)), swap)
  })()))
}

/** Binds several values at once. */
class Receive extends Continuing {
  readonly first: Node
  readonly #count: number
  readonly #rest: boolean
  readonly #body: Node
  readonly #place: Place
  constructor(first: Node, count: number, rest: boolean, body: Node, place: Place) {
    super()
    this.first = first
    this.#count = count
    this.#rest = rest
    this.#body = body
    this.#place = place
  }
  resume(machine: Machine, env: Env, value: Value): Result {
    const found = valuesOf(value)
    if (found.length < this.#count || (!this.#rest && found.length > this.#count)) {
      machine.place = this.#place
      throw failed('wrong-number-of-args', false, 'Wrong number of values: ~A', [BigInt(found.length)], false)
    }
    const slots: Value[] = found.slice(0, this.#count)
    if (this.#rest) slots.push(list(found.slice(this.#count)))
    return this.#body.exec(machine, new Env(slots, env))
  }
}

/** Adds the names of `formals` to a scope: how many, and whether the last takes the rest. */
function bindFormals(formals: Value, scope: Scope, place: Place): { count: number; rest: boolean } {
  let count = 0
  for (; formals instanceof Pair; formals = formals.cdr, count++) {
    if (!isIdentifier(formals.car)) throw syntaxError('a variable must be a name', place)
    scope.add(formals.car)
  }
  if (formals === NIL) return { count, rest: false }
  if (!isIdentifier(formals)) throw syntaxError('a variable must be a name', place)
  scope.add(formals)
  return { count, rest: true }
}

const compileReceive: FormCompiler = (form, scope, place) => {
  const [formals, expression] = argumentsOf(form, place, 3) as [Item, Item]
  const inner = scope.child()
  const { count, rest } = bindFormals(formals.value, inner, formals.place)
  return new Receive(compile(expression.value, scope, expression.place), count, rest, compileBody(((form.cdr as Pair).cdr as Pair).cdr, inner, place), place)
}

/** `let-values` compiles its expressions outside of all its variables, `let*-values` each inside of those before. */
const letValues = (sequential: boolean): FormCompiler => (form, scope, place) => {
  const [bindings] = argumentsOf(form, place, 2) as [Item]
  const clauses = formItems(bindings.value, bindings.place).map((item) => formItems(item.value, item.place) as [Item, Item])
  const body = (form.cdr as Pair).cdr
  const build = (index: number, inner: Scope): Node => {
    const clause = clauses[index]
    if (clause === undefined) return new Let([], compileBody(body, inner.child(), place))
    const [formals, expression] = clause
    const deeper = inner.child()
    // The frames of earlier clauses are there at run time: an expression that must not see their names is compiled among frames without names.
    const from = sequential ? inner : hidden(scope, index)
    const first = compile(expression.value, from, expression.place)
    const { count, rest } = bindFormals(formals.value, deeper, formals.place)
    return new Receive(first, count, rest, build(index + 1, deeper), place)
  }
  return build(0, scope)
}

function hidden(scope: Scope, frames: number): Scope {
  for (let count = 0; count < frames; count++) scope = scope.child()
  return scope
}

export const controlForms: Readonly<Record<string, FormCompiler>> = {
  'false-if-exception': compileFalseIfException,
  parameterize: compileParameterize,
}
export const guardForm = compileGuard
export const receiveForm = compileReceive
export const valuesForms: Readonly<Record<string, FormCompiler>> = { 'let-values': letValues(false), 'let*-values': letValues(true) }
