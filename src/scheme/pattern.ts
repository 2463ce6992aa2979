/**
 * The patterns of `(ice-9 match)`: names, `_`, constants, quoted data, lists with `...` (and patterns after it), dotted lists, vectors, quasi-patterns,
 * `(? predicate pattern …)`, `(and …)`, `(or …)`, `(not …)`, `(= procedure pattern)`, `($ record-type pattern …)`. A name that comes twice must match equal values.
 */
import { compile } from './compile.js'
import { isEqual } from './equality.js'
import { Evaluation, call, type Call, type Env, type Node } from './execution.js'
import { isIdentifier, itemPlace, placeOf, strip, type Identifier, type Scope } from './scope.js'
import { beyond, syntaxError } from './throw.js'
import { NIL, Pair, RecordInstance, RecordType, Vector, items, list, type Place, type Value } from './value.js'

export type Pattern =
  | { readonly kind: 'any' }
  | { readonly kind: 'name'; readonly slot: number; readonly again: boolean }
  | { readonly kind: 'constant'; readonly value: Value }
  | { readonly kind: 'pair'; readonly car: Pattern; readonly cdr: Pattern }
  | { readonly kind: 'repeat'; readonly each: Pattern; readonly slots: readonly number[]; readonly minimum: number; readonly after: number; readonly rest: Pattern }
  | { readonly kind: 'vector'; readonly list: Pattern }
  | { readonly kind: 'predicate'; readonly predicate: Node; readonly all: readonly Pattern[] }
  | { readonly kind: 'field'; readonly accessor: Node; readonly pattern: Pattern }
  | { readonly kind: 'record'; readonly type: Node; readonly fields: readonly Pattern[] }
  | { readonly kind: 'and' | 'or' | 'not'; readonly all: readonly Pattern[] }

type Matching = Generator<Call | Evaluation, boolean, Value>

/** Compiles the patterns of one clause; names become variables of `inner`, expressions are compiled in `outer`. */
export class PatternCompiler {
  readonly #outer: Scope
  readonly #inner: Scope
  readonly #slots = new Map<Identifier, number>()
  constructor(outer: Scope, inner: Scope) {
    this.#outer = outer
    this.#inner = inner
  }

  compile(pattern: Value, place: Place): Pattern {
    if (isIdentifier(pattern)) return this.#name(pattern)
    if (pattern instanceof Vector) return { kind: 'vector', list: this.compile(list(pattern.items), place) }
    if (!(pattern instanceof Pair)) return { kind: 'constant', value: pattern }
    return this.#special(pattern, placeOf(pattern, place)) ?? this.#list(pattern, place)
  }

  #name(name: Identifier): Pattern {
    if (name.name === '_') return { kind: 'any' }
    const known = this.#slots.get(name)
    if (known !== undefined) return { kind: 'name', slot: known, again: true }
    const { index } = this.#inner.add(name)
    this.#slots.set(name, index)
    return { kind: 'name', slot: index, again: false }
  }

  #special(pattern: Pair, place: Place): Pattern | undefined {
    if (!isIdentifier(pattern.car) || !(pattern.cdr instanceof Pair)) return undefined
    const rest = pattern.cdr
    const first = (): Node => compile(rest.car, this.#outer, itemPlace(rest, place))
    const parts = items(rest)
    const all = (from: number): Pattern[] => (parts ?? []).slice(from).map((part) => this.compile(part, place))
    if (parts === undefined || isDots(parts[0])) return undefined
    switch (pattern.car.name) {
      case 'quote': return { kind: 'constant', value: strip(rest.car) }
      case 'quasiquote': return this.#quasi(rest.car, place)
      case '?': return { kind: 'predicate', predicate: first(), all: all(1) }
      case '=': return { kind: 'field', accessor: first(), pattern: this.compile(parts[1] as Value, place) }
      case '$':
      case 'struct': return { kind: 'record', type: first(), fields: all(1) }
      case 'and': return { kind: 'and', all: all(0) }
      case 'or': return { kind: 'or', all: this.#alternatives(parts, place) }
      case 'not': return { kind: 'not', all: all(0) }
      case 'get!':
      case 'set!':
      case '@':
      case 'object': throw beyond(`the pattern (${pattern.car.name} …)`, place)
      default: return undefined
    }
  }

  /** The same name in two alternatives is one variable, not a repetition. */
  #alternatives(parts: readonly Value[], place: Place): Pattern[] {
    const before = new Map(this.#slots)
    const all = parts.map((part) => {
      const fresh = new PatternCompiler(this.#outer, this.#inner)
      const known = this.#slots
      const shared = [...known].filter(([name]) => !before.has(name))
      for (const [name, slot] of before) fresh.#slots.set(name, slot)
      const compiled = fresh.#sharing(new Map(shared), part, place)
      for (const [name, slot] of fresh.#slots) known.set(name, slot)
      return compiled
    })
    return all
  }

  #sharing(shared: ReadonlyMap<Identifier, number>, part: Value, place: Place): Pattern {
    const compiled = this.compile(part, place)
    const same = new Map<number, number>()
    for (const [name, slot] of this.#slots) {
      const known = shared.get(name)
      if (known === undefined || known === slot) continue
      same.set(slot, known)
      this.#slots.set(name, known)
    }
    return same.size === 0 ? compiled : move(compiled, same)
  }

  #list(pattern: Pair, place: Place): Pattern {
    const next = pattern.cdr
    if (!(next instanceof Pair) || !isDots(next.car)) return { kind: 'pair', car: this.compile(pattern.car, itemPlace(pattern, place)), cdr: this.compile(next, place) }
    const before = new Set(this.#slots.values())
    const each = this.compile(pattern.car, itemPlace(pattern, place))
    const slots = [...this.#slots.values()].filter((slot) => !before.has(slot))
    const minimum = isIdentifier(next.car) ? Number(/^\.\.(\d+)$/.exec(next.car.name)?.[1] ?? 0) : 0
    let after = 0
    for (let rest: Value = next.cdr; rest instanceof Pair; rest = rest.cdr) after++
    return { kind: 'repeat', each, slots, minimum, after, rest: this.compile(next.cdr, place) }
  }

  #quasi(template: Value, place: Place): Pattern {
    if (template instanceof Vector) return { kind: 'vector', list: this.#quasi(list(template.items), place) }
    if (!(template instanceof Pair)) return { kind: 'constant', value: strip(template) }
    if (isIdentifier(template.car) && template.car.name === 'unquote' && template.cdr instanceof Pair) return this.compile(template.cdr.car, place)
    const item = template.car
    if (item instanceof Pair && isIdentifier(item.car) && item.car.name === 'unquote-splicing' && item.cdr instanceof Pair) {
      if (template.cdr !== NIL) throw syntaxError('",@" must come last in a pattern', place)
      return this.compile(item.cdr.car, place)
    }
    return { kind: 'pair', car: this.#quasi(item, place), cdr: this.#quasi(template.cdr, place) }
  }
}

const isDots = (value: Value | undefined): boolean => isIdentifier(value) && isEllipsis(value.name)

/** The first look is for speed: few names begin so, and the expression is compiled when it is first used. */
const isEllipsis = (name: string): boolean => (name.startsWith('.') || name.startsWith('_')) && /^(?:\.\.\.|___|\.\.\d+|__\d+)$/.test(name)

/** The same pattern with other slots. */
function move(pattern: Pattern, slots: ReadonlyMap<number, number>): Pattern {
  const again = (inner: Pattern): Pattern => move(inner, slots)
  switch (pattern.kind) {
    case 'any':
    case 'constant': return pattern
    case 'name': return { ...pattern, slot: slots.get(pattern.slot) ?? pattern.slot }
    case 'pair': return { kind: 'pair', car: again(pattern.car), cdr: again(pattern.cdr) }
    case 'repeat': return { ...pattern, each: again(pattern.each), rest: again(pattern.rest), slots: pattern.slots.map((slot) => slots.get(slot) ?? slot) }
    case 'vector': return { kind: 'vector', list: again(pattern.list) }
    case 'predicate': return { ...pattern, all: pattern.all.map(again) }
    case 'field': return { ...pattern, pattern: again(pattern.pattern) }
    case 'record': return { ...pattern, fields: pattern.fields.map(again) }
    case 'and':
    case 'or':
    case 'not': return { kind: pattern.kind, all: pattern.all.map(again) }
  }
}

/** Matches; the values of names go into `slots`. */
export function* match(pattern: Pattern, value: Value, slots: (Value | undefined)[], env: Env): Matching {
  for (;;) {
    switch (pattern.kind) {
      case 'any': return true
      case 'name':
        if (pattern.again) return isEqual(slots[pattern.slot] as Value, value)
        slots[pattern.slot] = value
        return true
      case 'constant': return isEqual(pattern.value, value)
      case 'pair':
        if (!(value instanceof Pair) || !(yield* match(pattern.car, value.car, slots, env))) return false
        value = value.cdr
        pattern = pattern.cdr
        continue
      case 'vector':
        if (!(value instanceof Vector)) return false
        value = list(value.items)
        pattern = pattern.list
        continue
      case 'repeat': {
        const found: Value[] = []
        let rest: Value = value
        for (; rest instanceof Pair; rest = rest.cdr) found.push(rest.car)
        const count = found.length - pattern.after
        if (count < pattern.minimum) return false
        const columns = pattern.slots.map((): Value[] => [])
        for (let index = 0; index < count; index++) {
          if (!(yield* match(pattern.each, found[index] as Value, slots, env))) return false
          for (const [at, slot] of pattern.slots.entries()) columns[at]?.push(slots[slot] as Value)
          value = (value as Pair).cdr
        }
        for (const [at, slot] of pattern.slots.entries()) slots[slot] = list(columns[at] ?? [])
        pattern = pattern.rest
        continue
      }
      case 'predicate': {
        const predicate = yield new Evaluation(pattern.predicate, env)
        if ((yield call(predicate, value)) === false) return false
        for (const inner of pattern.all) if (!(yield* match(inner, value, slots, env))) return false
        return true
      }
      case 'field': {
        const accessor = yield new Evaluation(pattern.accessor, env)
        value = yield call(accessor, value)
        pattern = pattern.pattern
        continue
      }
      case 'record': {
        const type = yield new Evaluation(pattern.type, env)
        if (!(type instanceof RecordType) || !(value instanceof RecordInstance) || value.recordType !== type) return false
        for (const [index, field] of pattern.fields.entries()) if (!(yield* match(field, value.values[index] as Value, slots, env))) return false
        return true
      }
      case 'and':
        for (const inner of pattern.all) if (!(yield* match(inner, value, slots, env))) return false
        return true
      case 'or':
        for (const inner of pattern.all) if (yield* match(inner, value, slots, env)) return true
        return false
      case 'not':
        for (const inner of pattern.all) if (yield* match(inner, value, slots, env)) return false
        return true
    }
  }
}
