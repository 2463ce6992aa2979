/** `cut` and `cute` of SRFI 26: a procedure from a call with gaps. */
import { Application, Builtin, Let } from '../call-node.js'
import { argumentsOf, compile } from '../compile.js'
import type { Node } from '../execution.js'
import { compileLambda } from '../lambda.js'
import { isWord, type FormCompiler, type Scope } from '../scope.js'
import { intern, items, list, type Value } from '../value.js'

const REST = intern('<...>')

/** `cute` evaluates what is not a gap once, where it stands; `cut` at each call. */
const compileCut = (once: boolean): FormCompiler => (form, scope, place) => {
  const parts = argumentsOf(form, place, 1)
  const rest = isWord(parts.at(-1)?.value, '<...>', scope)
  const fixed = rest ? parts.slice(0, -1) : parts
  const outer = once ? scope.child() : scope
  const early: Node[] = []
  // Parameters are told apart by position: fresh aliases are not needed where nothing is compiled by name.
  const gaps = fixed.filter((part) => isWord(part.value, '<>', scope))
  const formals = list(gaps.map((_, index) => intern(` gap ${index}`)), rest ? REST : undefined)
  const earlyLocals = new Map<object, number>()
  if (once) {
    for (const part of fixed) {
      if (isWord(part.value, '<>', scope)) continue
      earlyLocals.set(part, outer.add(intern(` early ${early.length}`)).index)
      early.push(compile(part.value, scope, part.place))
    }
  }
  const lambda = compileLambda(formals, (inner: Scope) => {
    let gap = 0
    const nodes = fixed.map((part) => {
      if (isWord(part.value, '<>', scope)) return compile(intern(` gap ${gap++}`), inner, part.place)
      return once ? compile(intern(` early ${earlyLocals.get(part) ?? 0}`), inner, part.place) : compile(part.value, inner, part.place)
    })
    if (!rest) return new Application(nodes, place)
    nodes.push(compile(REST, inner, place))
    return new Builtin(nodes, place, (machine, [procedure, ...values]) => machine.apply(procedure as Value, [...values.slice(0, -1), ...(items(values.at(-1) as Value) ?? [])]))
  }, outer, place, { name: '' })
  return once ? new Let(early, lambda) : lambda
}

export const cutForms: Readonly<Record<string, FormCompiler>> = { cut: compileCut(false), cute: compileCut(true) }
