/** Values to plain data and back. */
import type { SchemeDatum } from '../plugin-api/index.js'
import { print } from './printer.js'
import { parseNumber } from './number-text.js'
import { toDouble } from './number.js'
import { Abort } from './throw.js'
import { NIL, Pair, Ratio, RecordInstance, Sym, UNSPECIFIED, intern, items, list, type Value } from './value.js'

const MAXIMUM_DEPTH = 200

export function toDatum(value: Value, depth = 0): SchemeDatum {
  if (typeof value !== 'object') return value
  if (depth > MAXIMUM_DEPTH) throw new Abort('limit', 'the value is nested too deeply')
  if (value === NIL) return []
  if (value instanceof Pair) {
    const found = items(value)
    if (found !== undefined) return found.map((item) => toDatum(item, depth + 1))
  }
  if (value instanceof RecordInstance && value.origin !== undefined) {
    const { place, given } = value.origin
    const { name, fields } = value.recordType
    return {
      kind: 'record',
      type: name,
      fields: Object.fromEntries(fields.map((field, at) => [field, toDatum(value.values[at] as Value, depth + 1)])),
      location: place,
      given: Object.fromEntries(given),
    }
  }
  if (value instanceof Ratio) return { kind: 'ratio', text: print(value, true), number: toDouble(value) }
  return { kind: value instanceof Sym ? 'symbol' : 'other', text: value instanceof Sym ? value.name : print(value, true) }
}

export function fromDatum(datum: SchemeDatum): Value {
  if (typeof datum !== 'object') return datum
  if ('kind' in datum) {
    if (datum.kind === 'symbol') return intern(datum.text)
    return datum.kind === 'ratio' ? parseNumber(datum.text) ?? UNSPECIFIED : UNSPECIFIED
  }
  return list(datum.map(fromDatum))
}
