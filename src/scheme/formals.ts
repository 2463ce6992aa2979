/** The parameters of `lambda` and `lambda*`, taken apart. */
import { isIdentifier, itemPlace, type Identifier } from './scope.js'
import { syntaxError } from './throw.js'
import { Keyword, NIL, Pair, type Place, type Value } from './value.js'

export interface Formals {
  readonly required: Identifier[]
  readonly optional: Formal[]
  readonly keywords: (Formal & { readonly keyword: string })[]
  readonly rest: Identifier | undefined
  readonly allowOtherKeys: boolean
}

export interface Formal {
  readonly name: Identifier
  readonly value: Value
  readonly place: Place
}

export function parseFormals(formals: Value, place: Place, starred: boolean): Formals {
  const required: Identifier[] = []
  const optional: Formal[] = []
  const keywords: (Formal & { keyword: string })[] = []
  let rest: Identifier | undefined
  let allowOtherKeys = false
  let part = 'required'
  let left = formals
  for (; left instanceof Pair; left = left.cdr) {
    const item = left.car
    const at = itemPlace(left, place)
    if (starred && item instanceof Keyword) {
      if (item.name === 'allow-other-keys') allowOtherKeys = true
      else part = item.name
      continue
    }
    const name = item instanceof Pair && part !== 'required' ? item.car : item
    if (!isIdentifier(name)) throw syntaxError('a parameter must be a name', at)
    const more = item instanceof Pair ? item.cdr : NIL
    const value = more instanceof Pair ? more.car : false
    switch (part) {
      case 'required':
        required.push(name)
        break
      case 'optional':
        optional.push({ name, value, place: at })
        break
      case 'key': {
        const key = more instanceof Pair && more.cdr instanceof Pair ? more.cdr.car : undefined
        keywords.push({ name, value, place: at, keyword: key instanceof Keyword ? key.name : name.name })
        break
      }
      case 'rest':
        rest = name
        break
      default: throw syntaxError(`bad lambda*: #:${part}`, at)
    }
  }
  if (left !== NIL) {
    if (!isIdentifier(left)) throw syntaxError('a parameter must be a name', place)
    rest = left
  }
  const names = [...required, ...optional.map((formal) => formal.name), ...keywords.map((formal) => formal.name), ...(rest === undefined ? [] : [rest])]
  if (new Set(names).size < names.length) throw syntaxError('duplicate parameter', place)
  return { required, optional, keywords, rest, allowOtherKeys }
}
