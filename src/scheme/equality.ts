/** `eqv?` and `equal?`. Cyclic structures end in the step limit. */
import { Abort } from './throw.js'
import { Pair, Ratio, RecordInstance, Vector, type Value } from './value.js'

const MAXIMUM_DEPTH = 10_000

export function isEqv(a: Value, b: Value): boolean {
  if (a === b) return typeof a !== 'number' || a !== 0 || Object.is(a, b)
  if (a instanceof Ratio) return b instanceof Ratio && a.numerator === b.numerator && a.denominator === b.denominator
  return typeof a === 'number' && Number.isNaN(a) && Number.isNaN(b)
}

export function isEqual(a: Value, b: Value, depth = 0): boolean {
  if (depth > MAXIMUM_DEPTH) throw new Abort('limit', 'compares data nested too deeply')
  for (let length = 0; ; length++) {
    if (isEqv(a, b)) return true
    if (a instanceof Pair && b instanceof Pair) {
      if (length > 10_000_000) throw new Abort('limit', 'compares circular lists')
      if (!isEqual(a.car, b.car, depth + 1)) return false
      a = a.cdr
      b = b.cdr
      continue
    }
    if (a instanceof Vector && b instanceof Vector) {
      const { items } = b
      return a.items.length === items.length && a.items.every((item, index) => isEqual(item, items[index] as Value, depth + 1))
    }
    if (a instanceof RecordInstance && b instanceof RecordInstance && a.recordType === b.recordType) {
      const { values } = b
      return a.values.every((value, index) => isEqual(value, values[index] as Value, depth + 1))
    }
    return false
  }
}
