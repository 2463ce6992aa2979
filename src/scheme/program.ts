/** A program: its modules, and the forms of its files, evaluated one after the other so that each can rely on what those before have defined. */
import type { SchemeWorld } from '../plugin-api/index.js'
import { compile, expandHead, formItems, type Item } from './compile.js'
import { defineGlobalSyntax } from './forms/define-syntax.js'
import { compileGlobalDefineValues } from './forms/define-values.js'
import { Env, Evaluation, Primitive, call, type Node, type Process } from './execution.js'
import { exportsOf, headerOf, importOf } from './import-spec.js'
import { parseDefinition } from './lambda.js'
import { programReader } from './library/environment.js'
import { libraryFor, type Library } from './library/library.js'
import { Module, view, type Registry } from './module.js'
import { Constant, GlobalDefinition } from './node.js'
import { Reader } from './reader.js'
import { Scope, base, isIdentifier, type Role } from './scope.js'
import { beyond } from './throw.js'
import { UNSPECIFIED, type Pair, type Place, type Value } from './value.js'

/** Files within files. */
const MAXIMUM_LOADS = 50

export class Program implements Registry {
  readonly #modules = new Map<string, Module>()
  readonly #library: Library
  readonly #read: Primitive
  #scope: Scope
  #file = ''
  #loads = 0

  constructor(world: SchemeWorld, imports: readonly string[], extra: (registry: Registry) => readonly Module[]) {
    this.#library = libraryFor(world, {
      primitiveLoad: new Primitive('primitive-load', 1, 1, (machine, path) => machine.iterate(this.loadFile(path))),
      load: new Primitive('load', 1, 2, (machine, path) => machine.iterate(this.loadFile(this.#nextTo(path)))),
      currentFile: () => this.#file,
    })
    this.#read = programReader(world)
    for (const module of extra(this)) this.#modules.set(module.name, module)
    this.#scope = new Scope(this.#fresh('(guile-user)'))
    for (const name of imports) this.#import(name)
  }

  find(name: string): Module | undefined {
    let module = this.#modules.get(name)
    if (module === undefined) {
      module = this.#library.module(name, this)
      if (module !== undefined) this.#modules.set(name, module)
    }
    return module
  }

  /** Hands on what was written without a line's end. */
  finish(): void {
    this.#library.output.finish()
  }

  #fresh(name: string): Module {
    const module = new Module(name, this)
    const guile = this.find('(guile)')
    if (guile !== undefined) module.import(view(guile))
    this.#modules.set(name, module)
    return module
  }

  #import(name: string): void {
    const module = this.find(name)
    if (module === undefined) throw beyond(`the module ${name}`)
    this.#scope.module.import(view(module))
  }

  /** `load` looks next to the file it stands in. */
  #nextTo(path: Value): Value {
    if (typeof path !== 'string' || path.startsWith('/') || !this.#file.includes('/')) return path
    return this.#file.slice(0, this.#file.lastIndexOf('/') + 1) + path
  }

  *loadFile(path: Value): Process {
    if (++this.#loads > MAXIMUM_LOADS) throw beyond('that many files in one another')
    const text = yield call(this.#read, path)
    const outer = { file: this.#file, scope: this.#scope }
    const value = yield* this.evaluate(text as string, path as string)
    this.#file = outer.file
    this.#scope = outer.scope
    this.#loads--
    return value
  }

  /** Evaluates a text in the current module. */
  *evaluate(text: string, file: string): Generator<ReturnType<typeof call> | Evaluation, Value, Value> {
    this.#file = file
    const reader = new Reader(text, file)
    const queue: Item[] = []
    let value: Value = UNSPECIFIED
    for (;;) {
      const datum = queue.shift() ?? reader.next()
      if (datum === undefined) return value
      const scope = this.#scope
      const { form, place, special } = expandHead(datum.value, scope, datum.place)
      if (special?.role === 'begin') {
        queue.unshift(...formItems((form as Pair).cdr, place))
        continue
      }
      const node = special?.role === undefined ? compile(form, scope, place) : this.#declare(special.role, form as Pair, place)
      value = yield new Evaluation(node, new Env([], undefined))
    }
  }

  #declare(role: Role, form: Pair, place: Place): Node {
    const scope = this.#scope
    const { module } = scope
    switch (role) {
      case 'define':
      case 'define-public': {
        const { name, compile: value } = parseDefinition(form, place)
        const definition = new GlobalDefinition({ module, identifier: name }, value(scope))
        if (role === 'define-public' && isIdentifier(name)) module.export(base(name))
        return definition
      }
      case 'define-values': return compileGlobalDefineValues(form, scope, place)
      case 'define-syntax':
        defineGlobalSyntax(form, scope, place)
        break
      case 'define-module': {
        const header = headerOf(form, this, place)
        const made = this.#fresh(header.name)
        for (const found of header.imports) made.import(found)
        for (const [own, other] of header.exports) made.export(own, other)
        this.#scope = new Scope(made)
        break
      }
      case 'use-modules':
        for (const spec of formItems(form.cdr, place)) module.import(importOf(spec.value, this, spec.place))
        break
      case 'export':
        for (const [own, other] of exportsOf(formItems(form.cdr, place))) module.export(own, other)
        break
      case 'begin': break
    }
    return new Constant(UNSPECIFIED)
  }
}
