/** What `use-modules` and `define-module` say about imports and exports. */
import { formItems, type Item } from './compile.js'
import { view, type Interface, type Registry } from './module.js'
import { base, isIdentifier, strip } from './scope.js'
import { print } from './printer.js'
import { beyond, syntaxError } from './throw.js'
import { Keyword, Pair, Sym, items, type Place, type Value } from './value.js'

/** `(a b)` or `((a b) #:select (x (y . z)) #:hide (…) #:prefix p: #:renamer (symbol-prefix-proc 'p:))`. */
export function importOf(spec: Value, registry: Registry, place: Place): Interface {
  const plain = strip(spec)
  const shaped = plain instanceof Pair && plain.car instanceof Pair
  const name = print(shaped ? plain.car : plain, true)
  const module = registry.find(name)
  if (module === undefined) throw beyond(`the module ${name}`, place)
  if (!shaped) return view(module)
  const options = items(plain.cdr)
  if (options === undefined) throw syntaxError('bad module name', place)
  let [select, hide, prefix]: [Map<Sym, Sym> | undefined, Set<Sym> | undefined, string | undefined] = [undefined, undefined, undefined]
  for (let at = 0; at < options.length; at += 2) {
    const option = options[at]
    const value = options[at + 1]
    const listed = items(value ?? false) ?? []
    switch (option instanceof Keyword ? option.name : '') {
      case 'select':
        select = new Map(listed.map((entry) => (entry instanceof Pair ? [entry.cdr as Sym, entry.car as Sym] : [entry as Sym, entry as Sym])))
        break
      case 'hide':
        hide = new Set(listed as Sym[])
        break
      case 'prefix':
        prefix = value instanceof Sym ? value.name : ''
        break
      case 'renamer':
        prefix = prefixOf(value)
        if (prefix === undefined) throw beyond('that #:renamer', place)
        break
      case 'version': break
      default: throw syntaxError('unrecognized option of a module', place)
    }
  }
  return view(module, { select, hide, prefix })
}

/** `(symbol-prefix-proc 'p:)`. */
function prefixOf(value: Value | undefined): string | undefined {
  const [procedure, quoted] = items(value ?? false) ?? []
  const [, symbol] = items(quoted ?? false) ?? []
  return procedure instanceof Sym && procedure.name === 'symbol-prefix-proc' && symbol instanceof Sym ? symbol.name : undefined
}

export interface Header {
  readonly name: string
  readonly imports: readonly Interface[]
  /** Own name and the name for others. */
  readonly exports: readonly (readonly [Sym, Sym])[]
}

export function exportsOf(names: readonly Item[]): [Sym, Sym][] {
  return names.map(({ value, place }) => {
    if (isIdentifier(value)) return [base(value), base(value)]
    if (value instanceof Pair && isIdentifier(value.car) && isIdentifier(value.cdr)) return [base(value.car), base(value.cdr)]
    throw syntaxError('bad export: a name is wanted', place)
  })
}

/** `(define-module (name) #:use-module … #:export (…) …)`. */
export function headerOf(form: Pair, registry: Registry, place: Place): Header {
  const [name, ...options] = formItems(form.cdr, place)
  if (name === undefined || items(name.value) === undefined) throw syntaxError('bad define-module', place)
  const imports: Interface[] = []
  const exports: [Sym, Sym][] = []
  for (let at = 0; at < options.length; at++) {
    const option = options[at] as Item
    const value = (): Item => {
      const found = options[++at]
      if (found === undefined) throw syntaxError('an option of define-module wants a value', option.place)
      return found
    }
    switch (option.value instanceof Keyword ? option.value.name : '') {
      case 'use-module':
      case 'use-syntax': {
        const spec = value()
        imports.push(importOf(spec.value, registry, spec.place))
        break
      }
      case 'autoload': {
        const spec = value()
        value()
        imports.push(importOf(spec.value, registry, spec.place))
        break
      }
      case 'export':
      case 'export-syntax':
      case 're-export':
      case 'replace': {
        const list = value()
        exports.push(...exportsOf(formItems(list.value, list.place)))
        break
      }
      case 'pure':
      case 'no-backtrace': break
      case 'version':
      case 'duplicates':
      case 'declarative?':
      case 'filename':
        value()
        break
      default: throw syntaxError('unrecognized define-module argument', option.place)
    }
  }
  return { name: print(strip(name.value), true), imports, exports }
}
