/**
 * Records as `(guix records)` makes them: a constructor with named fields in any order, defaults, and `(inherit X)` first. Fields are evaluated in the order
 * written, each in the scope of those before. Messages and their places are those of Guix.
 */
import { Builtin, Let } from '../call-node.js'
import { compile, formItems, type Item } from '../compile.js'
import type { Node } from '../execution.js'
import { Constant } from '../node.js'
import { isIdentifier, base, type FormCompiler, type Identifier, type Scope } from '../scope.js'
import { syntaxError, WrongType } from '../throw.js'
import { RecordInstance, items, type Pair, type Place, type RecordType, type Value } from '../value.js'

export interface GuixField {
  readonly name: string
  /** Absent: required. */
  readonly default?: Value
}

interface Given {
  readonly field: Identifier
  readonly name: string
  readonly value: Value
  readonly place: Place
  readonly clause: Place
}

export function recordConstructor(type: RecordType, fields: readonly GuixField[]): FormCompiler {
  const expected = fields.map(({ name }) => name)
  return (form: Pair, scope, place) => {
    const clauses = formItems(form.cdr, place)
    const [first, ...others] = clauses
    const inherit = first !== undefined && nameOf(first.value) === 'inherit' ? parse(first) : undefined
    const given = (inherit === undefined ? clauses : others).map(parse)
    const names = given.map(({ name }) => name)
    if (inherit === undefined) {
      const duplicate = given.find(({ name }, index) => names.indexOf(name) < index)
      if (duplicate !== undefined) throw syntaxError('duplicate field initializer', duplicate.clause)
    }
    const unknown = names.filter((name, index) => !expected.includes(name) && names.indexOf(name) === index)
    if (unknown.length > 0) throw syntaxError(`extraneous field initializers (${unknown.join(' ')})`, place)
    const missing = inherit === undefined ? fields.filter((field) => field.default === undefined && !names.includes(field.name)) : []
    if (missing.length > 0) throw syntaxError(`missing field initializers (${missing.map(({ name }) => name).join(' ')})`, place)
    return build(type, fields, given, inherit, scope, place)
  }
}

function nameOf(clause: Value): string | undefined {
  const [name] = items(clause) ?? []
  return isIdentifier(name) ? base(name).name : undefined
}

function parse(clause: Item): Given {
  const parts = items(clause.value)
  const [field, value] = parts ?? []
  if (parts?.length !== 2 || !isIdentifier(field)) throw syntaxError('invalid field specifier', clause.place)
  const second = (clause.value as Pair).cdr as Pair
  return { field, name: base(field).name, value: value as Value, place: 'item' in second ? second.item as Place : clause.place, clause: clause.place }
}

function build(type: RecordType, fields: readonly GuixField[], given: readonly Given[], inherit: Given | undefined, scope: Scope, place: Place): Node {
  const last = (inner: Scope): Node => {
    const references = new Map(given.map((one) => [one.name, compile(one.field, inner, one.place)]))
    const nodes = fields.map((field) => references.get(field.name) ?? new Constant(field.default ?? false))
    const parent = inherit === undefined ? [] : [compile(inherit.value, inner, inherit.place)]
    return new Builtin([...nodes, ...parent], place, (_machine, values) => {
      const base = inherit === undefined ? undefined : values.pop() as Value
      if (base !== undefined && !(base instanceof RecordInstance && base.recordType === type)) throw new WrongType(1, base, type.name)
      const places = new Map(base?.origin?.given)
      for (const one of given) places.set(one.name, one.clause)
      const own = fields.map((field, index) => (base !== undefined && !references.has(field.name) ? base.values[index] : values[index]) as Value)
      return new RecordInstance(type, own, { place, given: places })
    })
  }
  const nest = (index: number, outer: Scope): Node => {
    const one = given[index]
    if (one === undefined) return last(outer)
    const inner = outer.child()
    const node = compile(one.value, outer, one.place)
    inner.add(one.field)
    return new Let([node], nest(index + 1, inner))
  }
  return nest(0, scope)
}
