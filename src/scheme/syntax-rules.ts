/**
 * `syntax-rules`: patterns with ellipses (nested, and with more after them), literals, vectors, `(... ...)` and a named ellipsis. Symbols of a template become
 * aliases, fresh for each expansion; pairs keep the places of where they were written.
 */
import { Alias, Macro, isIdentifier, itemPlace, placeOf, sameMeaning, strip, type Identifier, type Scope } from './scope.js'
import { syntaxError } from './throw.js'
import { NIL, Pair, SourcePair, Vector, intern, items, list, type Place, type Value } from './value.js'

/** What a pattern variable stands for: a form, or one of these for each repetition. */
type Match = { readonly form: Value; readonly place: Place | undefined } | { readonly each: Bindings[] }
type Bindings = ReadonlyMap<Identifier, Match>

interface Rules {
  readonly scope: Scope
  readonly ellipsis: Identifier
  readonly literals: ReadonlySet<Identifier>
}

const UNDERSCORE = '_'
const isEllipsis = (value: Value | undefined, rules: Rules): boolean =>
  isIdentifier(value) && !rules.literals.has(value) && (value === rules.ellipsis || (value.name === rules.ellipsis.name && sameMeaning(value, rules.scope, rules.ellipsis, rules.scope)))

/** Items of a list and what follows the last pair. */
function spine(value: Value): { pairs: Pair[]; tail: Value } {
  const pairs: Pair[] = []
  for (; value instanceof Pair; value = value.cdr) pairs.push(value)
  return { pairs, tail: value }
}

function match(pattern: Value, form: Value, place: Place | undefined, rules: Rules, use: Scope, found: Map<Identifier, Match>): boolean {
  if (isIdentifier(pattern)) {
    if (rules.literals.has(pattern)) return isIdentifier(form) && sameMeaning(form, use, pattern, rules.scope)
    if (pattern.name !== UNDERSCORE) found.set(pattern, { form, place })
    return true
  }
  if (pattern instanceof Pair) return matchList(pattern, form, rules, use, found)
  if (pattern === NIL) return form === NIL
  if (pattern instanceof Vector) return form instanceof Vector && match(list(pattern.items), list(form.items), place, rules, use, found)
  return sameDatum(pattern, strip(form))
}

/** `equal?` of constants; compound ones cannot occur in patterns. */
const sameDatum = (a: Value, b: Value): boolean => a === b

function matchList(pattern: Pair, form: Value, rules: Rules, use: Scope, found: Map<Identifier, Match>): boolean {
  const left = spine(pattern)
  const at = left.pairs.findIndex((pair) => isEllipsis(pair.car, rules))
  const right = spine(form)
  const itemOf = (index: number): Value => (right.pairs[index] as Pair).car
  const placeAt = (index: number): Place | undefined => {
    const pair = right.pairs[index]
    return pair instanceof SourcePair ? pair.item : undefined
  }
  const rest = (index: number): Value => right.pairs[index] ?? right.tail
  if (at < 0) {
    if (right.pairs.length < left.pairs.length) return false
    for (const [index, pair] of left.pairs.entries()) if (!match(pair.car, itemOf(index), placeAt(index), rules, use, found)) return false
    return match(left.tail, rest(left.pairs.length), undefined, rules, use, found)
  }
  const before = at - 1
  const after = left.pairs.length - at - 1
  const repeats = right.pairs.length - before - after
  if (repeats < 0) return false
  for (let index = 0; index < before; index++) if (!match((left.pairs[index] as Pair).car, itemOf(index), placeAt(index), rules, use, found)) return false
  const repeated = (left.pairs[before] as Pair).car
  const each: Map<Identifier, Match>[] = []
  for (let index = before; index < before + repeats; index++) {
    const one = new Map<Identifier, Match>()
    if (!match(repeated, itemOf(index), placeAt(index), rules, use, one)) return false
    each.push(one)
  }
  for (const name of variables(repeated, rules)) found.set(name, { each })
  for (let index = 0; index < after; index++) {
    if (!match((left.pairs[at + 1 + index] as Pair).car, itemOf(before + repeats + index), placeAt(before + repeats + index), rules, use, found)) return false
  }
  return match(left.tail, rest(before + repeats + after), undefined, rules, use, found)
}

function variables(pattern: Value, rules: Rules): Identifier[] {
  if (isIdentifier(pattern)) return rules.literals.has(pattern) || isEllipsis(pattern, rules) || pattern.name === UNDERSCORE ? [] : [pattern]
  if (pattern instanceof Pair) return [...variables(pattern.car, rules), ...variables(pattern.cdr, rules)]
  return pattern instanceof Vector ? pattern.items.flatMap((item) => variables(item, rules)) : []
}

class Instance {
  readonly #rules: Rules
  readonly #aliases = new Map<Identifier, Alias>()
  constructor(rules: Rules) {
    this.#rules = rules
  }

  make(template: Value, found: Bindings, place: Place, escaped = false): Value {
    if (isIdentifier(template)) {
      const bound = found.get(template)
      if (bound === undefined) return this.#alias(template)
      if ('each' in bound) throw syntaxError(`"${template.name}" wants an ellipsis in the template`, place)
      return bound.form
    }
    if (template instanceof Pair) {
      if (!escaped && isEllipsis(template.car, this.#rules) && template.cdr instanceof Pair) return this.make(template.cdr.car, found, place, true)
      return this.#list(template, found, place, escaped)
    }
    if (template instanceof Vector) return new Vector(items(this.make(list(template.items), found, place, escaped)) ?? [])
    return template
  }

  #alias(symbol: Identifier): Alias {
    let alias = this.#aliases.get(symbol)
    if (alias === undefined) this.#aliases.set(symbol, alias = new Alias(symbol, this.#rules.scope))
    return alias
  }

  #list(template: Pair, found: Bindings, place: Place, escaped: boolean): Value {
    const next = template.cdr
    let ellipses = 0
    let rest = next
    while (!escaped && rest instanceof Pair && isEllipsis(rest.car, this.#rules)) {
      ellipses++
      rest = rest.cdr
    }
    if (ellipses === 0) {
      const car = this.make(template.car, found, place, escaped)
      const cdr = this.make(rest, found, place, escaped)
      const start = template instanceof SourcePair ? template.start : undefined
      return new SourcePair(car, cdr, start, this.#placeOf(template, found, place))
    }
    let sets: Bindings[] = [found]
    for (let count = 0; count < ellipses; count++) sets = sets.flatMap((set) => this.#repeat(template.car, set, place))
    const at = itemPlace(template, place)
    let result = this.make(rest, found, place, escaped)
    for (const set of sets.reverse()) {
      const bound = isIdentifier(template.car) ? set.get(template.car) : undefined
      result = new SourcePair(this.make(template.car, set, place, escaped), result, undefined, bound !== undefined && 'form' in bound ? bound.place ?? at : at)
    }
    return result
  }

  /** What is put in for a pattern variable stands where it was written, not where the template names it. */
  #placeOf(template: Pair, found: Bindings, place: Place): Place {
    const bound = isIdentifier(template.car) ? found.get(template.car) : undefined
    return bound !== undefined && 'form' in bound && bound.place !== undefined ? bound.place : itemPlace(template, place)
  }

  /** The bindings of each repetition of the variables in `part`. */
  #repeat(part: Value, found: Bindings, place: Place): Bindings[] {
    const names = variables(part, this.#rules).filter((name) => {
      const bound = found.get(name)
      return bound !== undefined && 'each' in bound
    })
    if (names.length === 0) throw syntaxError('nothing to repeat before an ellipsis', place)
    const counts = names.map((name) => (found.get(name) as { each: Bindings[] }).each.length)
    if (new Set(counts).size > 1) throw syntaxError('repetitions of different lengths', place)
    return Array.from({ length: counts[0] ?? 0 }, (_, index) => {
      const one = new Map(found)
      for (const name of names) {
        const each = (found.get(name) as { each: Bindings[] }).each[index]
        const bound = each?.get(name)
        if (bound !== undefined) one.set(name, bound)
      }
      return one
    })
  }
}

/** `form` is `(syntax-rules [ellipsis] (literal …) (pattern template) …)`. */
export function compileRules(name: string, form: Pair, scope: Scope, place: Place): Macro {
  const parts = items(form)
  if (parts === undefined || parts.length < 2) throw syntaxError('bad syntax-rules', place)
  const custom = isIdentifier(parts[1]) ? parts[1] : undefined
  const literals = items(parts[custom === undefined ? 1 : 2] ?? NIL)
  if (literals === undefined || !literals.every(isIdentifier)) throw syntaxError('bad syntax-rules: literals must be names', place)
  const rules: Rules = { scope, ellipsis: custom ?? intern('...'), literals: new Set(literals) }
  const clauses = parts.slice(custom === undefined ? 2 : 3).filter((clause) => typeof clause !== 'string').map((clause) => {
    const clauseParts = items(clause)
    if (clauseParts?.length !== 2 || !(clauseParts[0] instanceof Pair)) throw syntaxError('bad syntax-rules: a rule is (pattern template)', placeOf(clause, place))
    return { pattern: clauseParts[0], template: clauseParts[1] as Value }
  })
  return new Macro(name, (use, useScope, usePlace) => {
    for (const { pattern, template } of clauses) {
      const found = new Map<Identifier, Match>()
      if (match(pattern.cdr, use.cdr, usePlace, rules, useScope, found)) {
        return new Instance(rules).make(template, found, placeOf(template, usePlace))
      }
    }
    throw syntaxError('source expression failed to match any pattern', usePlace)
  })
}
