/** Puts the arguments of a call into the slots that `lambda` or `lambda*` made for them; a slot without argument stays undefined. */
import type { Closure } from './execution.js'
import { failed } from './throw.js'
import { Keyword, list, type Value } from './value.js'

export function bindArguments(closure: Closure, args: readonly Value[]): (Value | undefined)[] {
  const { required, optional, keywords, allowOtherKeys, rest } = closure.code
  if (args.length < required) throw wrongNumber(closure)
  const slots: (Value | undefined)[] = args.slice(0, required)
  let at = required
  for (let index = 0; index < optional; index++) {
    // With keywords to come, one of them ends the optional arguments.
    const given = at < args.length && !(keywords !== undefined && args[at] instanceof Keyword)
    slots.push(given ? args[at++] : undefined)
  }
  if (rest >= 0) slots[rest] = list(args.slice(at))
  if (keywords === undefined) {
    if (rest < 0 && at < args.length) throw wrongNumber(closure)
    return slots
  }
  for (const slot of keywords.values()) slots[slot] = undefined
  while (at < args.length) {
    const key = args[at++] as Value
    if (!(key instanceof Keyword)) {
      if (rest >= 0) continue
      throw failed('keyword-argument-error', closure.name, 'Invalid keyword', [], list([key]))
    }
    const slot = keywords.get(key.name)
    if (slot === undefined && !allowOtherKeys) throw failed('keyword-argument-error', closure.name, `Unrecognized keyword #:${key.name}`, [], list([key]))
    if (at >= args.length) throw failed('keyword-argument-error', closure.name, `Keyword argument has no value: #:${key.name}`, [], list([key]))
    if (slot !== undefined) slots[slot] = args[at]
    at++
  }
  return slots
}

function wrongNumber(closure: Closure): Error {
  return failed('wrong-number-of-args', false, 'Wrong number of arguments to ~A', [closure], false)
}
