/** `quote if set! begin lambda lambda* case-lambda let let* letrec letrec*`, and the words that only make sense at the start of a body or file. */
import { Builtin, Let } from '../call-node.js'
import { argumentsOf, badForm, compile, compileAssignment, compileSequence, formItems, sequence, type Item } from '../compile.js'
import { CaseClosure, type Closure, type Node } from '../execution.js'
import { compileBody, compileLambda, named, type NamedLambda } from '../lambda.js'
import { Conditional, Constant, LocalAssignment } from '../node.js'
import { macroOf } from './define-syntax.js'
import { isIdentifier, strip, type FormCompiler, type Identifier, type Role, type Scope } from '../scope.js'
import { syntaxError } from '../throw.js'
import { NIL, Pair, UNSPECIFIED, items, type Place, type Value } from '../value.js'

interface Binding extends Item {
  readonly name: Identifier
}

/** `((name value) …)`. */
export function bindingsOf(value: Value, form: Pair, place: Place): Binding[] {
  return formItems(value, place).map((item) => {
    const parts = items(item.value)
    const [name, init] = parts ?? []
    if (parts?.length !== 2 || !isIdentifier(name)) throw badForm(form, place)
    const second = (item.value as Pair).cdr as Pair
    return { name, value: init as Value, place: 'item' in second ? second.item as Place : item.place }
  })
}

function distinct(bindings: readonly Binding[], place: Place): void {
  if (new Set(bindings.map(({ name }) => name)).size < bindings.length) throw syntaxError('duplicate bound variable', place)
}

const compileInit = (binding: Binding, scope: Scope): Node => named(compile(binding.value, scope, binding.place), binding.name.name)

const compileLet: FormCompiler = (form, scope, place) => {
  const rest = form.cdr
  if (!(rest instanceof Pair) || !(rest.cdr instanceof Pair)) throw badForm(form, place)
  if (isIdentifier(rest.car)) return compileNamedLet(rest.car, rest.cdr, form, scope, place)
  const bindings = bindingsOf(rest.car, form, place)
  distinct(bindings, place)
  const inits = bindings.map((binding) => compileInit(binding, scope))
  const inner = scope.child()
  for (const { name } of bindings) inner.add(name)
  return new Let(inits, compileBody(rest.cdr, inner, place))
}

function compileNamedLet(name: Identifier, rest: Pair, form: Pair, scope: Scope, place: Place): Node {
  const bindings = bindingsOf(rest.car, form, place)
  distinct(bindings, place)
  const inits = bindings.map((binding) => compileInit(binding, scope))
  // The loop's own name lives in a frame around its procedure; the first values are computed outside of it.
  const loop = scope.child()
  const local = loop.add(name)
  const lambda = compileLambda(bindings.reduceRight<Value>((tail, { name: parameter }) => new Pair(parameter, tail), NIL), rest.cdr, loop, place, { name: name.name })
  const start = new Builtin([lambda], place, (_machine, values, env) => {
    env.slots[local.index] = values[0]
    return values[0] as Value
  })
  return new Builtin([new Let([], start), ...inits], place, (machine, [procedure, ...values]) => machine.apply(procedure as Value, values))
}

const compileLetStar: FormCompiler = (form, scope, place) => {
  const rest = form.cdr
  if (!(rest instanceof Pair) || !(rest.cdr instanceof Pair)) throw badForm(form, place)
  const bindings = bindingsOf(rest.car, form, place)
  if (bindings.length === 0) return new Let([], compileBody(rest.cdr, scope.child(), place))
  const build = (index: number, outer: Scope): Node => {
    const binding = bindings[index] as Binding
    const init = compileInit(binding, outer)
    const inner = outer.child()
    inner.add(binding.name)
    return new Let([init], index + 1 < bindings.length ? build(index + 1, inner) : compileBody(rest.cdr, inner, place))
  }
  return build(0, scope)
}

const compileLetrec: FormCompiler = (form, scope, place) => {
  const rest = form.cdr
  if (!(rest instanceof Pair) || !(rest.cdr instanceof Pair)) throw badForm(form, place)
  const bindings = bindingsOf(rest.car, form, place)
  distinct(bindings, place)
  const inner = scope.child()
  const locals = bindings.map(({ name }) => inner.add(name))
  const inits = bindings.map((binding, index) => new LocalAssignment(0, locals[index]?.index ?? 0, compileInit(binding, inner)))
  return new Let([], sequence([...inits, compileBody(rest.cdr, inner, place)]))
}

function compileCaseLambda(starred: boolean): FormCompiler {
  return (form, scope, place) => {
    const lambdas: NamedLambda[] = formItems(form.cdr, place).map((item) => {
      if (!(item.value instanceof Pair)) throw badForm(form, place)
      return compileLambda(item.value.car, item.value.cdr, scope, item.place, { starred })
    })
    return new Builtin(lambdas, place, (_machine, closures) => new CaseClosure('', closures as Closure[]))
  }
}

const compileIf: FormCompiler = (form, scope, place) => {
  const [test, consequent, alternative] = argumentsOf(form, place, 2, 3) as [Item, Item, Item | undefined]
  const other = alternative === undefined ? new Constant(UNSPECIFIED) : compile(alternative.value, scope, alternative.place)
  return new Conditional(compile(test.value, scope, test.place), compile(consequent.value, scope, consequent.place), other)
}

const compileSet: FormCompiler = (form, scope, place) => {
  const [target, value] = argumentsOf(form, place, 2, 2) as [Item, Item]
  if (!isIdentifier(target.value)) throw badForm(form, place)
  return compileAssignment(target.value, compile(value.value, scope, value.place), scope, place)
}

const lambda = (starred: boolean): FormCompiler => (form, scope, place) => {
  if (!(form.cdr instanceof Pair) || !(form.cdr.cdr instanceof Pair)) throw badForm(form, place)
  return compileLambda(form.cdr.car, form.cdr.cdr, scope, place, { starred })
}

/** Definitions are compiled by the body or file they stand in; anywhere else they are out of place. */
const misplaced: FormCompiler = (form, _scope, place) => {
  throw syntaxError(`${isIdentifier(form.car) ? form.car.name : 'definition'} where definitions are not allowed`, place)
}

const syntaxScope: FormCompiler = (form, scope, place) => {
  const rest = form.cdr
  if (!(rest instanceof Pair) || !(rest.cdr instanceof Pair)) throw badForm(form, place)
  const inner = scope.child()
  for (const binding of bindingsOf(rest.car, form, place)) inner.addMacro(binding.name, macroOf(binding.name.name, binding.value, inner, binding.place))
  return new Let([], compileBody(rest.cdr, inner, place))
}

export const coreForms: Readonly<Record<string, FormCompiler>> = {
  quote: (form, _scope, place) => new Constant(strip((argumentsOf(form, place, 1, 1)[0] as Item).value)),
  if: compileIf,
  'set!': compileSet,
  lambda: lambda(false),
  λ: lambda(false),
  'lambda*': lambda(true),
  'case-lambda': compileCaseLambda(false),
  'case-lambda*': compileCaseLambda(true),
  let: compileLet,
  'let*': compileLetStar,
  letrec: compileLetrec,
  'letrec*': compileLetrec,
  'let-syntax': syntaxScope,
  'letrec-syntax': syntaxScope,
}

/** Words that a body or a file looks for. */
export const definingForms: Readonly<Record<string, readonly [FormCompiler, Role]>> = {
  begin: [(form, scope, place) => compileSequence(form.cdr, scope, place), 'begin'],
  define: [misplaced, 'define'],
  'define*': [misplaced, 'define'],
  'define-public': [misplaced, 'define-public'],
  'define*-public': [misplaced, 'define-public'],
  'define-values': [misplaced, 'define-values'],
  'define-syntax': [misplaced, 'define-syntax'],
  'define-syntax-rule': [misplaced, 'define-syntax'],
  'define-module': [misplaced, 'define-module'],
  'use-modules': [misplaced, 'use-modules'],
  export: [misplaced, 'export'],
}
