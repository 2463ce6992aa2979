/** `cond case when unless and or do and-let*`. */
import { Builtin, Let } from '../call-node.js'
import { argumentsOf, badForm, compile, compileSequence, formItems, sequence, type Item } from '../compile.js'
import type { Env, Machine, Node, Result } from '../execution.js'
import { compileLambda } from '../lambda.js'
import { isEqv } from '../equality.js'
import { Conditional, Constant, Continuing, Either, LocalReference } from '../node.js'
import { isIdentifier, isWord, itemPlace, strip, type FormCompiler, type Identifier, type Scope } from '../scope.js'
import { syntaxError } from '../throw.js'
import { NIL, Pair, UNSPECIFIED, intern, items, list, type Place, type Value } from '../value.js'

const nothing = new Constant(UNSPECIFIED)
/** No program can write this name. */
const LOOP = intern(' loop')

/** `(test => receiver)`: the value goes to the receiver if it is true. */
class Arrow extends Continuing {
  readonly first: Node
  readonly #receive: Node
  readonly #otherwise: Node
  constructor(first: Node, receive: Node, otherwise: Node) {
    super()
    this.first = first
    this.#receive = receive
    this.#otherwise = otherwise
  }
  resume(machine: Machine, env: Env, value: Value): Result {
    if (value === false) return this.#otherwise.exec(machine, env)
    return new Builtin([this.#receive], machine.place, (inner, [receiver]) => inner.apply(receiver as Value, [value])).exec(machine, env)
  }
}

/** The clauses of `cond` and `guard`, ending in `otherwise`. */
export function compileClauses(clauses: readonly Item[], scope: Scope, otherwise: Node): Node {
  const [clause, ...more] = clauses
  if (clause === undefined) return otherwise
  const parts = formItems(clause.value, clause.place, 'cond clause')
  const [test, second, third] = parts
  if (test === undefined) throw syntaxError('invalid clause', clause.place)
  const rest = (clause.value as Pair).cdr
  if (isWord(test.value, 'else', scope)) {
    if (more.length > 0 || second === undefined) throw syntaxError('invalid clause', clause.place)
    return compileSequence(rest, scope, clause.place)
  }
  const first = compile(test.value, scope, test.place)
  if (second === undefined) return new Either(first, compileClauses(more, scope, otherwise))
  if (isWord(second.value, '=>', scope) && third !== undefined) return new Arrow(first, compile(third.value, scope, third.place), compileClauses(more, scope, otherwise))
  return new Conditional(first, compileSequence(rest, scope, clause.place), compileClauses(more, scope, otherwise))
}

/** Chooses by the value of its first node. */
class Choice extends Continuing {
  readonly first: Node
  readonly #choose: (value: Value) => { node: Node; arrow: boolean }
  constructor(first: Node, choose: (value: Value) => { node: Node; arrow: boolean }) {
    super()
    this.first = first
    this.#choose = choose
  }
  resume(machine: Machine, env: Env, value: Value): Result {
    const { node, arrow } = this.#choose(value)
    return arrow ? new Builtin([node], machine.place, (inner, [receiver]) => inner.apply(receiver as Value, [value])).exec(machine, env) : node.exec(machine, env)
  }
}

const compileCase: FormCompiler = (form, scope, place) => {
  const [key, ...clauses] = argumentsOf(form, place, 1) as [Item, ...Item[]]
  const compiled = clauses.map((clause) => {
    const [data, ...body] = formItems(clause.value, clause.place, 'case clause') as [Item, ...Item[]]
    if (body.length === 0) throw syntaxError('invalid clause', clause.place)
    const arrow = isWord(body[0]?.value, '=>', scope) && body.length === 2
    const node = arrow ? compile((body[1] as Item).value, scope, (body[1] as Item).place) : compileSequence((clause.value as Pair).cdr, scope, clause.place)
    return { data: isWord(data.value, 'else', scope) ? undefined : items(strip(data.value)) ?? [], choice: { node, arrow } }
  })
  const none = { node: nothing, arrow: false }
  return new Choice(compile(key.value, scope, key.place), (value) => compiled.find(({ data }) => data === undefined || data.some((item) => isEqv(item, value)))?.choice ?? none)
}

const when = (wanted: boolean): FormCompiler => (form, scope, place) => {
  const [test] = argumentsOf(form, place, 2) as [Item]
  const body = compileSequence((form.cdr as Pair).cdr, scope, place)
  const condition = compile(test.value, scope, test.place)
  return wanted ? new Conditional(condition, body, nothing) : new Conditional(condition, nothing, body)
}

const compileAnd: FormCompiler = (form, scope, place) => {
  const nodes = formItems(form.cdr, place).map((item) => compile(item.value, scope, item.place))
  return nodes.length === 0 ? new Constant(true) : nodes.reduceRight((rest, node) => new Conditional(node, rest, new Constant(false)))
}

const compileOr: FormCompiler = (form, scope, place) => {
  const nodes = formItems(form.cdr, place).map((item) => compile(item.value, scope, item.place))
  return nodes.length === 0 ? new Constant(false) : nodes.reduceRight((rest, node) => new Either(node, rest))
}

/** A procedure without a name of its own in the program, in a frame around itself: what `do` loops with. */
function loop(parameters: readonly Identifier[], inits: readonly Node[], scope: Scope, place: Place, body: (scope: Scope, again: (nodes: readonly Node[], from: Scope) => Node) => Node): Node {
  const outer = scope.child()
  const local = outer.add(LOOP)
  const again = (nodes: readonly Node[], from: Scope): Node =>
    new Builtin([new LocalReference(from.distance(local), local.index, 'loop', place), ...nodes], place, (machine, [procedure, ...values]) => machine.apply(procedure as Value, values))
  const lambda = compileLambda(list(parameters), (inner) => body(inner, again), outer, place, { name: 'loop' })
  const start = new Builtin([lambda], place, (_machine, values, env) => {
    env.slots[local.index] = values[0]
    return values[0] as Value
  })
  return new Builtin([new Let([], start), ...inits], place, (machine, [procedure, ...values]) => machine.apply(procedure as Value, values))
}

const compileDo: FormCompiler = (form, scope, place) => {
  const [variables, end] = argumentsOf(form, place, 2) as [Item, Item]
  const commands = ((form.cdr as Pair).cdr as Pair).cdr
  if (!(end.value instanceof Pair)) throw badForm(form, place)
  const clause = end.value
  const specs = formItems(variables.value, place).map((item) => {
    const [name, init, step] = formItems(item.value, item.place) as [Item, Item, Item | undefined]
    if (!isIdentifier(name.value)) throw badForm(form, item.place)
    return { name: name.value, init, step }
  })
  const inits = specs.map(({ init }) => compile(init.value, scope, init.place))
  return loop(specs.map(({ name }) => name), inits, scope, place, (inner, again) => {
    const steps = specs.map(({ name, step }) => (step === undefined ? compile(name, inner, place) : compile(step.value, inner, step.place)))
    const next = sequence([...formItems(commands, place).map((item) => compile(item.value, inner, item.place)), again(steps, inner)])
    return new Conditional(compile(clause.car, inner, itemPlace(clause, place)), compileSequence(clause.cdr, inner, place), next)
  })
}

/** `(and-let* ((name value) (test) name …) body …)`. */
const compileAndLet: FormCompiler = (form, scope, place) => {
  const [clauses] = argumentsOf(form, place, 1) as [Item]
  const body = (form.cdr as Pair).cdr
  const all = formItems(clauses.value, clauses.place)
  const build = (index: number, inner: Scope): Node => {
    const clause = all[index]
    if (clause === undefined) return body === NIL ? new Constant(true) : compileSequence(body, inner, place)
    const last = index === all.length - 1 && body === NIL
    const parts = items(clause.value)
    const [head, value] = parts ?? []
    if (parts?.length === 2 && isIdentifier(head)) {
      const init = compile(value as Value, inner, clause.place)
      const deeper = inner.child()
      deeper.add(head)
      const reference = new LocalReference(0, 0, head.name, place)
      return new Let([init], last ? reference : new Conditional(reference, build(index + 1, deeper), new Constant(false)))
    }
    const test = compile(parts?.length === 1 ? head as Value : clause.value, inner, clause.place)
    return last ? test : new Conditional(test, build(index + 1, inner), new Constant(false))
  }
  return build(0, scope)
}

export const conditionalForms: Readonly<Record<string, FormCompiler>> = {
  cond: (form, scope, place) => compileClauses(argumentsOf(form, place, 1), scope, nothing),
  case: compileCase,
  when: when(true),
  unless: when(false),
  and: compileAnd,
  or: compileOr,
  do: compileDo,
}
export const andLetForm = compileAndLet
