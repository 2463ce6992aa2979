/** `quasiquote` with nesting, splicing, vectors and dotted tails. */
import { Builtin } from '../call-node.js'
import { argumentsOf, compile, type Item } from '../compile.js'
import type { Node } from '../execution.js'
import { Constant } from '../node.js'
import { isWord, itemPlace, strip, type FormCompiler, type Scope } from '../scope.js'
import { WrongType } from '../throw.js'
import { NIL, Pair, Vector, items, list, type Place, type Value } from '../value.js'

const cons = (place: Place, car: Node, cdr: Node): Node => new Builtin([car, cdr], place, (_machine, [left, right]) => new Pair(left as Value, right as Value))

const splice = (place: Place, spliced: Node, rest: Node): Node =>
  new Builtin([spliced, rest], place, (_machine, [left, right]) => {
    if (right === NIL) return left as Value
    const found = items(left as Value)
    if (found === undefined) throw new WrongType(1, left as Value)
    return list(found, right)
  })

/** `(word x)`? */
function tagged(value: Value, word: string, scope: Scope): Item | undefined {
  return value instanceof Pair && isWord(value.car, word, scope) && value.cdr instanceof Pair && value.cdr.cdr === NIL
    ? { value: value.cdr.car, place: itemPlace(value.cdr, { file: '', line: 0, column: 0 }) }
    : undefined
}

function build(template: Value, depth: number, scope: Scope, place: Place): Node {
  if (template instanceof Vector) {
    return new Builtin([build(list(template.items), depth, scope, place)], place, (_machine, [found]) => new Vector(items(found as Value) ?? []))
  }
  if (!(template instanceof Pair)) return new Constant(strip(template))
  const unquoted = tagged(template, 'unquote', scope)
  if (unquoted !== undefined) return depth === 1 ? compile(unquoted.value, scope, unquoted.place) : wrap(template, depth - 1, scope, place)
  if (tagged(template, 'quasiquote', scope) !== undefined) return wrap(template, depth + 1, scope, place)
  const at = itemPlace(template, place)
  const spliced = tagged(template.car, 'unquote-splicing', scope)
  if (spliced !== undefined) {
    const rest = build(template.cdr, depth, scope, place)
    return depth === 1 ? splice(at, compile(spliced.value, scope, spliced.place), rest) : cons(at, wrap(template.car as Pair, depth - 1, scope, at), rest)
  }
  const car = build(template.car, depth, scope, at)
  const cdr = build(template.cdr, depth, scope, place)
  return car instanceof Constant && cdr instanceof Constant ? new Constant(new Pair(car.value, cdr.value)) : cons(at, car, cdr)
}

/** Keeps the word, goes on with what it is about at another depth. */
function wrap(form: Pair, depth: number, scope: Scope, place: Place): Node {
  return cons(place, new Constant(strip(form.car)), build(form.cdr, depth, scope, place))
}

export const compileQuasiquote: FormCompiler = (form, scope, place) => {
  const [template] = argumentsOf(form, place, 1, 1) as [Item]
  return build(template.value, 1, scope, template.place)
}
