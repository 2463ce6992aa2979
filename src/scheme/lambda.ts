/**
 * Procedures and their bodies. A body holds definitions and expressions in any order, as `letrec*`; the definitions go into the frame of the scope that is
 * given, so that a body never needs a frame of its own beyond that of its `lambda` or `let`.
 */
import { compile, expandHead, formItems, sequence, type Item } from './compile.js'
import type { Code, Node } from './execution.js'
import { parseFormals, type Formal } from './formals.js'
import { Constant, Lambda, LocalAssignment, LocalDefault, Sequence } from './node.js'
import { isIdentifier, itemPlace, type Identifier, type Scope } from './scope.js'
import { compileDefineValues } from './forms/define-values.js'
import { defineSyntax } from './forms/define-syntax.js'
import { syntaxError } from './throw.js'
import { NIL, Pair, UNSPECIFIED, type Place, type Value } from './value.js'

/** A node that makes closures and can be told their name. */
export class NamedLambda extends Lambda {
  readonly #code: { name: string }
  constructor(code: Code & { name: string }) {
    super(code)
    this.#code = code
  }
  rename(name: string): void {
    if (this.#code.name === '') this.#code.name = name
  }
}

export interface LambdaOptions {
  readonly name?: string
  readonly starred?: boolean
}

/** `body` is a list of forms, or what compiles in the scope of the parameters. */
export function compileLambda(formals: Value, body: Value | ((scope: Scope) => Node), scope: Scope, place: Place, options: LambdaOptions = {}): NamedLambda {
  const parsed = parseFormals(formals, place, options.starred ?? false)
  const inner = scope.child()
  for (const name of parsed.required) inner.add(name)
  const defaults: Node[] = []
  const slots: { formal: Formal; index: number }[] = parsed.optional.map((formal) => ({ formal, index: inner.add(formal.name).index }))
  const rest = parsed.rest === undefined ? -1 : inner.add(parsed.rest).index
  const keywords = new Map<string, number>()
  for (const formal of parsed.keywords) {
    const { index } = inner.add(formal.name)
    keywords.set(formal.keyword, index)
    slots.push({ formal, index })
  }
  for (const { formal, index } of slots) {
    defaults.push(new LocalDefault(index, formal.value === false ? new Constant(false) : compile(formal.value, inner, formal.place)))
  }
  const compiled = typeof body === 'function' ? body(inner) : compileBody(documented(body), inner, place)
  return new NamedLambda({
    name: options.name ?? '',
    required: parsed.required.length,
    optional: parsed.optional.length,
    keywords: parsed.keywords.length === 0 && !parsed.allowOtherKeys ? undefined : keywords,
    allowOtherKeys: parsed.allowOtherKeys,
    rest,
    body: defaults.length === 0 ? compiled : new Sequence([...defaults, compiled]),
  })
}

/** A documentation string in front of a body is left out. */
function documented(body: Value): Value {
  return body instanceof Pair && typeof body.car === 'string' && body.cdr instanceof Pair ? body.cdr : body
}

/** `(define name value)`, `(define (name . formals) body …)` and the curried form, taken apart. */
export interface Definition {
  readonly name: Identifier
  readonly compile: (scope: Scope) => Node
}

export function parseDefinition(form: Pair, place: Place): Definition {
  const rest = form.cdr
  if (!(rest instanceof Pair)) throw syntaxError('bad define', place)
  let target = rest.car
  if (isIdentifier(target)) {
    const name = target
    if (rest.cdr === NIL) return { name, compile: () => new Constant(UNSPECIFIED) }
    const value = rest.cdr
    if (!(value instanceof Pair) || value.cdr !== NIL) throw syntaxError('bad define', place)
    return { name, compile: (scope) => named(compile(value.car, scope, itemPlace(value, place)), name.name) }
  }
  // (define ((f a) b) …): from the inside out.
  const layers: Value[] = []
  while (target instanceof Pair) {
    layers.unshift(target.cdr)
    target = target.car
  }
  if (!isIdentifier(target)) throw syntaxError('bad define', place)
  const name = target
  const starred = isIdentifier(form.car) && form.car.name.startsWith('define*')
  const layer = (index: number) => (scope: Scope): Node =>
    index === layers.length - 1
      ? compileLambda(layers[index] as Value, rest.cdr, scope, place, { name: name.name, starred })
      : compileLambda(layers[index] as Value, layer(index + 1), scope, place, { name: name.name, starred })
  if (layers.length === 0) throw syntaxError('bad define', place)
  return { name, compile: layer(0) }
}

/** Lets a procedure know what it is called. */
export function named(node: Node, name: string): Node {
  if (node instanceof NamedLambda) node.rename(name)
  return node
}

export function compileBody(forms: Value, scope: Scope, outer: Place): Node {
  const waiting: (() => Node)[] = []
  const queue: Item[] = formItems(forms, outer)
  if (queue.length === 0) throw syntaxError('no expression in body', outer)
  let expressions = false
  while (queue.length > 0) {
    const item = queue.shift() as Item
    const { form, place, special } = expandHead(item.value, scope, item.place)
    switch (special?.role) {
      case 'begin':
        queue.unshift(...formItems((form as Pair).cdr, place))
        continue
      case 'define': {
        const definition = parseDefinition(form as Pair, place)
        const local = scope.own(definition.name)
        waiting.push(() => new LocalAssignment(0, local.index, definition.compile(scope)))
        expressions = false
        continue
      }
      case 'define-syntax':
        defineSyntax(form as Pair, scope, place)
        continue
      case 'define-values':
        waiting.push(compileDefineValues(form as Pair, scope, place))
        expressions = false
        continue
      case 'define-public':
      case 'define-module':
      case 'use-modules':
      case 'export':
      case undefined:
        waiting.push(() => compile(form, scope, place))
        expressions = true
    }
  }
  if (!expressions) throw syntaxError('no expression in body', outer)
  return sequence(waiting.map((compileNow) => compileNow()))
}
