/**
 * What names mean at compile time.
 *
 * Hygiene is by renaming: a macro puts {@link Alias}es, fresh for every expansion, where its template has symbols. A binding form that binds an alias binds
 * that alias alone; an alias that nothing bound means what its symbol means where the macro was defined.
 */
import type { Node } from './execution.js'
import type { Module, Variable } from './module.js'
import { Pair, SchemeObject, SourcePair, Sym, Vector, type Place, type Value } from './value.js'

export type Identifier = Sym | Alias

/** A symbol that a macro brought in. */
export class Alias extends SchemeObject {
  readonly symbol: Identifier
  readonly scope: Scope
  constructor(symbol: Identifier, scope: Scope) {
    super()
    this.symbol = symbol
    this.scope = scope
  }
  get type(): string { return 'symbol' }
  get name(): string { return this.symbol.name }
}

export const isIdentifier = (value: Value | undefined): value is Identifier => value instanceof Sym || value instanceof Alias

export function base(identifier: Identifier): Sym {
  while (identifier instanceof Alias) identifier = identifier.symbol
  return identifier
}

/** A variable in a frame. */
export class Local {
  readonly scope: Scope
  readonly index: number
  readonly name: string
  constructor(scope: Scope, index: number, name: string) {
    this.scope = scope
    this.index = index
    this.name = name
  }
}

/** What a form's head may stand for besides a procedure. */
export type Role = 'begin' | 'define' | 'define-public' | 'define-values' | 'define-syntax' | 'define-module' | 'use-modules' | 'export'

/** Syntax that the compiler knows. */
export type FormCompiler = (form: Pair, scope: Scope, place: Place) => Node

export class SpecialForm extends SchemeObject {
  readonly name: string
  readonly compile: FormCompiler
  readonly role: Role | undefined
  constructor(name: string, compile: FormCompiler, role?: Role) {
    super()
    this.name = name
    this.compile = compile
    this.role = role
  }
  get type(): string { return 'syntax' }
}

export type Expander = (form: Pair, scope: Scope, place: Place) => Value

/** Syntax that rewrites its form. */
export class Macro extends SchemeObject {
  readonly name: string
  readonly expand: Expander
  constructor(name: string, expand: Expander) {
    super()
    this.name = name
    this.expand = expand
  }
  get type(): string { return 'macro' }
}

/** A global variable that may not exist yet, by name. */
export interface GlobalName {
  readonly module: Module
  readonly identifier: Identifier
}

export type Denotation = Local | Macro | SpecialForm | Variable | GlobalName

/** Syntax stands for itself, everything else is a variable that may change. */
const denotation = (variable: Variable): Denotation => (variable.value instanceof Macro || variable.value instanceof SpecialForm ? variable.value : variable)

export class Scope {
  readonly up: Scope | undefined
  readonly module: Module
  /** Has a frame at run time; others hold only macros. */
  readonly framed: boolean
  readonly #names = new Map<Identifier, Local | Macro>()
  #size = 0

  constructor(module: Module, up?: Scope, framed = true) {
    this.module = module
    this.up = up
    this.framed = framed
  }

  child(framed = true): Scope {
    return new Scope(this.module, this, framed)
  }

  get top(): boolean { return this.up === undefined }
  /** How many variables its frame holds so far. */
  get size(): number { return this.#size }

  add(identifier: Identifier): Local {
    const local = new Local(this, this.#size++, identifier.name)
    this.#names.set(identifier, local)
    return local
  }

  addMacro(identifier: Identifier, macro: Macro): void {
    this.#names.set(identifier, macro)
  }

  /** The variable of that name in this very scope, made if need be. */
  own(identifier: Identifier): Local {
    const found = this.#names.get(identifier)
    return found instanceof Local ? found : this.add(identifier)
  }

  lookup(identifier: Identifier): Denotation {
    return Scope.#find(this, identifier)
  }

  static #find(scope: Scope, identifier: Identifier): Denotation {
    for (;;) {
      const found = scope.#names.get(identifier)
      if (found !== undefined) return found
      if (scope.up === undefined) break
      scope = scope.up
    }
    if (identifier instanceof Alias) {
      const own = scope.module.own(identifier)
      return own === undefined ? identifier.scope.lookup(identifier.symbol) : denotation(own)
    }
    const global = scope.module.lookup(identifier)
    return global === undefined ? { module: scope.module, identifier } : denotation(global)
  }

  /** Frames between here and the scope of `local`. */
  distance(local: Local): number {
    return Scope.#distance(this, local)
  }

  static #distance(from: Scope, local: Local): number {
    let count = 0
    for (let scope: Scope | undefined = from; scope !== undefined && scope !== local.scope; scope = scope.up) if (scope.framed) count++
    return count
  }
}

/** Do two identifiers mean the same? */
export function sameMeaning(a: Identifier, inA: Scope, b: Identifier, inB: Scope): boolean {
  const left = inA.lookup(a)
  const right = inB.lookup(b)
  if (left === right) return true
  return 'module' in left && 'module' in right && 'identifier' in left && 'identifier' in right && base(left.identifier) === base(right.identifier)
}

/** Is it the auxiliary word of that name (`else`, `=>`), not bound by the program? */
export function isWord(value: Value | undefined, word: string, scope: Scope): boolean {
  return isIdentifier(value) && base(value).name === word && !(scope.lookup(value) instanceof Local)
}

/** A datum without aliases: what `quote` gives. Shares what has none. */
export function strip(value: Value): Value {
  if (value instanceof Alias) return base(value)
  if (value instanceof Pair) {
    // Along the spine without recursion: quoted lists may be long.
    const spine: Pair[] = []
    let rest: Value = value
    for (; rest instanceof Pair; rest = rest.cdr) spine.push(rest)
    let result = strip(rest)
    let changed = result !== rest
    for (let index = spine.length - 1; index >= 0; index--) {
      const pair = spine[index] as Pair
      const car = strip(pair.car)
      changed ||= car !== pair.car
      result = changed ? new Pair(car, result) : pair
    }
    return result
  }
  if (value instanceof Vector && value.items.some((item) => strip(item) !== item)) return new Vector(value.items.map(strip))
  return value
}

/** Where a form starts, if it came from a file. */
export function placeOf(value: Value, otherwise: Place): Place {
  return value instanceof SourcePair ? value.start ?? value.item : otherwise
}

/** Where the first item of a list starts. */
export function itemPlace(pair: Pair, otherwise: Place): Place {
  return pair instanceof SourcePair ? pair.item : otherwise
}
