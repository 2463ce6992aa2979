/** Modules: names, imports and exports. A name of a module itself comes before what it imports; of two imports the later one wins. */
import { SchemeObject, Sym, intern, type Value } from './value.js'

/** A symbol, or what a macro put in its place. */
export type Name = SchemeObject & { readonly name: string }

export class Variable extends SchemeObject {
  readonly name: string
  value: Value | undefined
  constructor(name: string, value?: Value) {
    super()
    this.name = name
    this.value = value
  }
  get type(): string { return 'variable' }
}

/** What a module sees of another one. */
export interface Interface {
  /** The variable behind a name that the importing module uses. */
  find(name: Sym): Variable | undefined
}

/** All modules that a program can get at. */
export interface Registry {
  /** By the written form of its name, `(srfi srfi-1)`. */
  find(name: string): Module | undefined
}

export class Module extends SchemeObject {
  readonly name: string
  readonly registry: Registry
  readonly #own = new Map<Name, Variable>()
  readonly #imports: Interface[] = []
  readonly #exports = new Map<Sym, Variable>()
  /** Makes definitions of the library on first use. */
  readonly #lazy: ((name: string) => Value | undefined) | undefined

  constructor(name: string, registry: Registry, lazy?: (name: string) => Value | undefined) {
    super()
    this.name = name
    this.registry = registry
    this.#lazy = lazy
  }
  get type(): string { return 'module' }

  own(identifier: Name): Variable | undefined {
    const found = this.#own.get(identifier)
    if (found !== undefined || this.#lazy === undefined) return found
    const value = identifier instanceof Sym ? this.#lazy(identifier.name) : undefined
    return value === undefined ? undefined : this.define(identifier, value)
  }

  lookup(name: Sym): Variable | undefined {
    const own = this.own(name)
    if (own !== undefined) return own
    for (let index = this.#imports.length - 1; index >= 0; index--) {
      const found = this.#imports[index]?.find(name)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Gives the variable of that name its value, making it if need be. */
  define(identifier: Name, value: Value | undefined): Variable {
    let variable = this.#own.get(identifier)
    if (variable === undefined) this.#own.set(identifier, variable = new Variable(identifier.name, value))
    else variable.value = value
    return variable
  }

  import(found: Interface): void {
    this.#imports.push(found)
  }

  export(internal: Sym, external: Sym = internal): void {
    const variable = this.lookup(internal)
    if (variable !== undefined) this.#exports.set(external, variable)
    else this.#exports.set(external, this.define(internal, undefined))
  }

  /** A library exports all it has; a module of the program what it says. */
  public(name: Sym): Variable | undefined {
    return this.#lazy === undefined ? this.#exports.get(name) : this.own(name)
  }
}

/** A view of a module's exports, as `#:select`, `#:hide`, `#:prefix` and `#:renamer` shape it. */
export function view(module: Module, shape: { select?: ReadonlyMap<Sym, Sym> | undefined; hide?: ReadonlySet<Sym> | undefined; prefix?: string | undefined } = {}): Interface {
  return {
    find(name) {
      if (shape.prefix !== undefined) {
        if (!name.name.startsWith(shape.prefix)) return undefined
        name = intern(name.name.slice(shape.prefix.length))
      }
      if (shape.hide?.has(name) === true) return undefined
      const external = shape.select === undefined ? name : shape.select.get(name)
      return external === undefined ? undefined : module.public(external)
    },
  }
}
