/** `match match-lambda match-lambda* match-let match-let*` of `(ice-9 match)`. */
import { Builtin, Let } from '../call-node.js'
import { argumentsOf, compile, formItems, type Item } from '../compile.js'
import { Env, Evaluation, type Machine, type Node, type Process, type Result } from '../execution.js'
import { compileBody, compileLambda } from '../lambda.js'
import { LocalReference } from '../node.js'
import { PatternCompiler, match, type Pattern } from '../pattern.js'
import { isWord, type FormCompiler, type Scope } from '../scope.js'
import { beyond, syntaxError, thrown } from '../throw.js'
import { NIL, Pair, intern, type Place, type Value } from '../value.js'

interface Clause {
  readonly pattern: Pattern
  readonly body: Node
}

function compileClause(clause: Item, scope: Scope): Clause {
  const parts = formItems(clause.value, clause.place, 'match clause')
  const [pattern, second] = parts
  if (pattern === undefined || second === undefined) throw syntaxError('bad match clause', clause.place)
  if (second.value instanceof Pair && isWord(second.value.car, '=>', scope)) throw beyond('(=> …) in match', second.place)
  const inner = scope.child()
  const compiled = new PatternCompiler(scope, inner).compile(pattern.value, pattern.place)
  return { pattern: compiled, body: compileBody((clause.value as Pair).cdr, inner, clause.place) }
}

function* choose(clauses: readonly Clause[], value: Value, env: Env): Process {
  for (const { pattern, body } of clauses) {
    const slots: (Value | undefined)[] = []
    if (yield* match(pattern, value, slots, env)) return new Evaluation(body, new Env(slots, env))
  }
  throw thrown('match-error', 'match', 'no matching pattern', value)
}

const matching = (clauses: readonly Item[], scope: Scope): ((machine: Machine, value: Value, env: Env) => Result) => {
  const compiled = clauses.map((clause) => compileClause(clause, scope))
  return (machine, value, env) => machine.iterate(choose(compiled, value, env))
}

const compileMatch: FormCompiler = (form, scope, place) => {
  const [subject, ...clauses] = argumentsOf(form, place, 1) as [Item, ...Item[]]
  const run = matching(clauses, scope)
  return new Builtin([compile(subject.value, scope, subject.place)], place, (machine, [value], env) => run(machine, value as Value, env))
}

const SUBJECT = intern(' subject')

const matchLambda = (spread: boolean): FormCompiler => (form, scope, place) => {
  const clauses = argumentsOf(form, place, 0)
  return compileLambda(spread ? SUBJECT : new Pair(SUBJECT, NIL), (inner) => {
    const run = matching(clauses, inner)
    return new Builtin([new LocalReference(0, 0, 'subject', place)], place, (machine, [value], env) => run(machine, value as Value, env))
  }, scope, place, { name: spread ? 'match-lambda*' : 'match-lambda' })
}

/** One frame for each binding; in `match-let` all expressions are compiled outside. */
const matchLet = (sequential: boolean): FormCompiler => (form, scope, place) => {
  const [bindings] = argumentsOf(form, place, 2) as [Item]
  const pairs = formItems(bindings.value, bindings.place).map((item) => formItems(item.value, item.place) as [Item, Item])
  const body = (form.cdr as Pair).cdr
  const build = (index: number, inner: Scope): Node => {
    const pair = pairs[index]
    if (pair === undefined) return new Let([], compileBody(body, inner.child(), place))
    const [pattern, expression] = pair
    const first = compile(expression.value, sequential ? inner : blank(scope, index), expression.place)
    const deeper = inner.child()
    const compiled = new PatternCompiler(inner, deeper).compile(pattern.value, pattern.place)
    const rest = build(index + 1, deeper)
    return new Builtin([first], place, (machine: Machine, [value], env) => machine.iterate(choose([{ pattern: compiled, body: rest }], value as Value, env)))
  }
  return build(0, scope)
}

/** As many frames without names as there are at run time. */
function blank(scope: Scope, frames: number): Scope {
  for (let count: number = frames; count > 0; count--) scope = scope.child()
  return scope
}

function unsupported(name: string): FormCompiler {
  return (_form, _scope, place: Place) => {
    throw beyond(name, place)
  }
}

export const matchForms: Readonly<Record<string, FormCompiler>> = {
  match: compileMatch,
  'match-lambda': matchLambda(false),
  'match-lambda*': matchLambda(true),
  'match-let': matchLet(false),
  'match-let*': matchLet(true),
  'match-letrec': unsupported('match-letrec'),
}
