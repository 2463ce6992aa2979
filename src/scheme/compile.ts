/** Data to nodes: expands macros, resolves names, and hands special forms to their own compilers. */
import { Application } from './call-node.js'
import { Constant, GlobalAssignment, GlobalReference, LocalAssignment, LocalReference, Sequence } from './node.js'
import type { Node } from './execution.js'
import { Local, Macro, SpecialForm, isIdentifier, itemPlace, placeOf, strip, type Identifier, type Scope } from './scope.js'
import { Abort, syntaxError } from './throw.js'
import { NIL, Pair, UNSPECIFIED, items, type Place, type Value } from './value.js'

/** Expansions within one form; a macro that never ends is stopped by it. */
const MAXIMUM_EXPANSIONS = 10_000
const MAXIMUM_DEPTH = 1_500

let depth = 0

/** What the head of a form stands for, if that is syntax. */
export function syntaxOf(form: Value, scope: Scope): SpecialForm | Macro | undefined {
  if (!(form instanceof Pair) || !isIdentifier(form.car)) return undefined
  const found = scope.lookup(form.car)
  return found instanceof SpecialForm || found instanceof Macro ? found : undefined
}

/** Expands until the head is no macro. */
export function expandHead(form: Value, scope: Scope, place: Place): { form: Value; place: Place; special: SpecialForm | undefined } {
  for (let count = 0; count < MAXIMUM_EXPANSIONS; count++) {
    place = placeOf(form, place)
    const syntax = syntaxOf(form, scope)
    if (!(syntax instanceof Macro)) return { form, place, special: syntax }
    form = syntax.expand(form as Pair, scope, place)
  }
  throw new Abort('limit', `a macro still not expanded after ${MAXIMUM_EXPANSIONS} steps`, place)
}

export function compile(datum: Value, scope: Scope, outer: Place): Node {
  if (++depth > MAXIMUM_DEPTH) {
    depth = 0
    throw new Abort('limit', 'nested too deeply', outer)
  }
  const { form, place, special } = expandHead(datum, scope, outer)
  const node = special === undefined ? compileOther(form, scope, place) : special.compile(form as Pair, scope, place)
  depth--
  return node
}

/** A fresh program starts from depth zero, whatever the one before died of. */
export function resetDepth(): void {
  depth = 0
}

function compileOther(form: Value, scope: Scope, place: Place): Node {
  if (isIdentifier(form)) return compileReference(form, scope, place)
  if (!(form instanceof Pair)) {
    if (form === NIL) throw syntaxError('unexpected syntax: ()', place)
    return new Constant(strip(form))
  }
  const nodes: Node[] = []
  let rest: Value = form
  for (; rest instanceof Pair; rest = rest.cdr) nodes.push(compile(rest.car, scope, itemPlace(rest, place)))
  if (rest !== NIL) throw syntaxError('a call must be a proper list', place)
  return new Application(nodes, place)
}

export function compileReference(name: Identifier, scope: Scope, place: Place): Node {
  const found = scope.lookup(name)
  if (found instanceof Local) return new LocalReference(scope.distance(found), found.index, found.name, place)
  if (found instanceof Macro || found instanceof SpecialForm) throw syntaxError(`bad use of '${name.name}' syntactic keyword`, place)
  return new GlobalReference(found, place)
}

export function compileAssignment(name: Identifier, value: Node, scope: Scope, place: Place): Node {
  const found = scope.lookup(name)
  if (found instanceof Local) return new LocalAssignment(scope.distance(found), found.index, value)
  if (found instanceof Macro || found instanceof SpecialForm) throw syntaxError(`bad use of '${name.name}' syntactic keyword`, place)
  return new GlobalAssignment(found, value, place)
}

/** The items of a form's list with their places. */
export interface Item {
  readonly value: Value
  readonly place: Place
}

export function formItems(form: Value, place: Place, what = 'form'): Item[] {
  const found: Item[] = []
  let rest = form
  for (; rest instanceof Pair; rest = rest.cdr) found.push({ value: rest.car, place: itemPlace(rest, place) })
  if (rest !== NIL) throw syntaxError(`bad ${what}: not a proper list`, place)
  return found
}

/** Expressions one after the other, where definitions are not allowed. */
export function compileSequence(forms: Value, scope: Scope, place: Place): Node {
  return sequence(formItems(forms, place).map((item) => compile(item.value, scope, item.place)))
}

export function sequence(nodes: readonly Node[]): Node {
  return nodes.length === 0 ? new Constant(UNSPECIFIED) : nodes.length === 1 ? nodes[0] as Node : new Sequence(nodes)
}

/** `(NAME a b)` with the right number of arguments, or a syntax error. */
export function argumentsOf(form: Pair, place: Place, minimum: number, maximum = Infinity): Item[] {
  const found = formItems(form.cdr, place)
  if (found.length < minimum || found.length > maximum) throw badForm(form, place)
  return found
}

export function badForm(form: Pair, place: Place): Abort {
  const name = isIdentifier(form.car) ? form.car.name : 'form'
  return syntaxError(`bad ${name}`, place)
}

export const isList = (value: Value): boolean => items(value) !== undefined
