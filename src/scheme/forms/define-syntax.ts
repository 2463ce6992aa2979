/** `define-syntax`, `define-syntax-rule`, `let-syntax`: macros by rules, in whatever scope. */
import { beyond, syntaxError } from '../throw.js'
import { Alias, Macro, base, isIdentifier, itemPlace, placeOf, type Identifier, type Scope } from '../scope.js'
import { compileRules } from '../syntax-rules.js'
import { NIL, Pair, list, type Place, type Value } from '../value.js'

/** The macro that `(syntax-rules …)`, or the name of one, stands for. */
export function macroOf(name: string, transformer: Value, scope: Scope, place: Place): Macro {
  const at = placeOf(transformer, place)
  if (isIdentifier(transformer)) {
    const found = scope.lookup(transformer)
    if (found instanceof Macro) return found
  }
  if (transformer instanceof Pair && isIdentifier(transformer.car) && base(transformer.car).name === 'syntax-rules') return compileRules(name, transformer, scope, at)
  throw beyond(`the transformer of "${name}" (other than syntax-rules)`, at)
}

function parse(form: Pair, scope: Scope, place: Place): [Identifier, Macro] {
  const rest = form.cdr
  if (!(rest instanceof Pair)) throw syntaxError('bad define-syntax', place)
  const keyword = isIdentifier(form.car) ? base(form.car).name : ''
  const target = rest.car
  if (keyword === 'define-syntax-rule') {
    // (define-syntax-rule (name . pattern) [docstring] template)
    if (!(target instanceof Pair) || !isIdentifier(target.car) || !(rest.cdr instanceof Pair)) throw syntaxError('bad define-syntax-rule', place)
    const template = rest.cdr.cdr instanceof Pair ? rest.cdr.cdr.car : rest.cdr.car
    const rules = list([form.car, NIL, list([target, template])])
    return [target.car, compileRules(target.car.name, rules as Pair, scope, place)]
  }
  if (!isIdentifier(target)) throw beyond(`${keyword} of this shape`, itemPlace(rest, place))
  if (!(rest.cdr instanceof Pair) || rest.cdr.cdr !== NIL) throw syntaxError(`bad ${keyword}`, place)
  return [target, macroOf(target.name, rest.cdr.car, scope, itemPlace(rest.cdr, place))]
}

/** In a body. */
export function defineSyntax(form: Pair, scope: Scope, place: Place): void {
  const [name, macro] = parse(form, scope, place)
  scope.addMacro(name, macro)
}

/** At top level, where a macro is the value of a global name. */
export function defineGlobalSyntax(form: Pair, scope: Scope, place: Place): void {
  const [name, macro] = parse(form, scope, place)
  scope.module.define(name instanceof Alias ? name : base(name), macro)
}
