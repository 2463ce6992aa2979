/** `define-record-type` of SRFI 9: becomes definitions of procedures that are made here. */
import { Primitive } from '../execution.js'
import { formItems } from '../compile.js'
import { Alias, Scope, isIdentifier, type Expander, type Identifier } from '../scope.js'
import { failed, syntaxError, WrongType } from '../throw.js'
import { RecordInstance, RecordType, UNSPECIFIED, intern, list, type Place, type Value } from '../value.js'

function names(value: Value, place: Place): Identifier[] {
  return formItems(value, place).map((item) => {
    if (!isIdentifier(item.value)) throw syntaxError('bad define-record-type: a name is wanted', item.place)
    return item.value
  })
}

export const expandRecordType: Expander = (form, scope, place) => {
  const [typeName, constructor, predicate, ...specs] = formItems(form.cdr, place)
  if (typeName === undefined || constructor === undefined || predicate === undefined || !isIdentifier(typeName.value)) throw syntaxError('bad define-record-type', place)
  const fields = specs.map((spec) => (isIdentifier(spec.value) ? [spec.value] : names(spec.value, spec.place)))
  const fieldNames = fields.map(([field]) => (field as Identifier).name)
  const type = new RecordType(typeName.value.name.replace(/^<(.*)>$/, '$1'), fieldNames)
  const guile = scope.module.registry.find('(guile)')
  const define = guile === undefined ? intern('define') : new Alias(intern('define'), new Scope(guile))
  const definitions: Value[] = []
  const add = (name: Identifier, value: Value): void => {
    definitions.push(list([define, name, value]))
  }
  const own = (value: Value | undefined): RecordInstance => {
    if (value instanceof RecordInstance && value.recordType === type) return value
    throw failed('wrong-type-arg', type.name, 'Wrong type argument: ~S', [value ?? false], list([value ?? false]))
  }
  add(typeName.value, type)
  if (isIdentifier(constructor.value)) add(constructor.value, new Primitive(constructor.value.name, fields.length, fields.length, (_machine, ...values) => new RecordInstance(type, values)))
  else if (constructor.value !== false) {
    const [name, ...parameters] = names(constructor.value, constructor.place) as [Identifier, ...Identifier[]]
    const slots = parameters.map((parameter) => fieldNames.indexOf(parameter.name))
    if (slots.includes(-1)) throw syntaxError('bad define-record-type: the constructor takes an unknown field', constructor.place)
    add(name, new Primitive(name.name, slots.length, slots.length, (_machine, ...given) => {
      const values: Value[] = fields.map(() => false)
      for (const [at, slot] of slots.entries()) values[slot] = given[at] as Value
      return new RecordInstance(type, values)
    }))
  }
  if (isIdentifier(predicate.value)) add(predicate.value, new Primitive(predicate.value.name, 1, 1, (_machine, value) => value instanceof RecordInstance && value.recordType === type))
  for (const [at, [, getter, setter]] of fields.entries()) {
    if (getter !== undefined) add(getter, new Primitive(getter.name, 1, 1, (_machine, value) => own(value).values[at] as Value))
    if (setter === undefined) continue
    add(setter, new Primitive(setter.name, 2, 2, (_machine, value, next) => {
      if (next === undefined) throw new WrongType(2, false)
      own(value).values[at] = next
      return UNSPECIFIED
    }))
  }
  const begin = guile === undefined ? intern('begin') : new Alias(intern('begin'), new Scope(guile))
  return list([begin, ...definitions])
}
