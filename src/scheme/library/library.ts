/** Which module has which names. A definition is made when a program first asks for it. */
import type { SchemeWorld } from '../../plugin-api/index.js'
import { argumentsOf, compile, type Item } from '../compile.js'
import { Constant, GlobalReference } from '../node.js'
import { Primitive, type Node } from '../execution.js'
import { Builtin } from '../call-node.js'
import { andLetForm, conditionalForms } from '../forms/conditional.js'
import { controlForms, guardForm, receiveForm, valuesForms } from '../forms/control.js'
import { coreForms, definingForms } from '../forms/core.js'
import { cutForms } from '../forms/cut.js'
import { expandRecordType } from '../forms/define-record-type.js'
import { matchForms } from '../forms/match.js'
import { compileQuasiquote } from '../forms/quasiquote.js'
import { compileLambda } from '../lambda.js'
import { Module, view, type Registry } from '../module.js'
import { print } from '../printer.js'
import { Macro, SpecialForm, isIdentifier, base, strip, type FormCompiler } from '../scope.js'
import { beyond, syntaxError, Abort } from '../throw.js'
import { NIL, UNSPECIFIED, type Value } from '../value.js'
import type { Entry, Table } from './check.js'
import { ANY, string } from './check.js'
import { Promised, control, controlPrimitives, escapes, exceptions, raise, raiseContinuable } from './control.js'
import { environmentProcedures, openFile } from './environment.js'
import { format } from './format.js'
import { simpleFormat } from './simple-format.js'
import { lists } from './lists.js'
import { exactness, numbers } from './numbers.js'
import { OutputPort, portProcedures } from './ports.js'
import { sorting } from './sorting.js'
import { srfi1 } from './srfi-1.js'
import { stringComparisons, stringFunctions, strings } from './strings.js'
import { symbols } from './symbols.js'
import { alistTables, hashTables, vectorMapping, vectors } from './tables.js'
import { charSets } from './text.js'

export interface Loaders {
  readonly primitiveLoad: Primitive
  readonly load: Primitive
  readonly currentFile: () => string
}

export interface Library {
  module(name: string, registry: Registry): Module | undefined
  readonly output: OutputPort
}

type Finder = (name: string) => Value | undefined

const procedures = (table: Table): Finder => (name) => {
  const entry: Entry | undefined = Object.hasOwn(table, name) ? table[name] : undefined
  return entry === undefined ? undefined : new Primitive(name, entry[0], entry[1], entry[2])
}
const forms = (table: Readonly<Record<string, FormCompiler>>): Finder => (name) => {
  const compiler = Object.hasOwn(table, name) ? table[name] : undefined
  return compiler === undefined ? undefined : new SpecialForm(name, compiler)
}
const fixed = (values: ReadonlyMap<string, Value>): Finder => (name) => values.get(name)
const primitives = (all: readonly Primitive[]): Finder => fixed(new Map(all.map((primitive) => [primitive.name, primitive])))
const first = (...finders: readonly Finder[]): Finder => (name) => {
  for (const find of finders) {
    const found = find(name)
    if (found !== undefined) return found
  }
  return undefined
}

/** `(@ (module) name)`. */
const moduleReference: FormCompiler = (form, scope, place) => {
  const [spec, name] = argumentsOf(form, place, 2, 2) as [Item, Item]
  if (!isIdentifier(name.value)) throw syntaxError('bad @', place)
  const written = print(strip(spec.value), true)
  const module = scope.module.registry.find(written)
  if (module === undefined) throw beyond(`the module ${written}`, place)
  const symbol = base(name.value)
  const variable = view(module).find(symbol) ?? module.own(symbol)
  if (variable === undefined) throw new Abort('unknown', `Unbound variable: ${symbol.name}`, name.place, symbol.name)
  if (variable.value instanceof Macro || variable.value instanceof SpecialForm) throw syntaxError(`bad use of '${symbol.name}' syntactic keyword`, name.place)
  return new GlobalReference(variable, name.place)
}

/** Words that mean something inside of other forms only. */
const auxiliary: FormCompiler = (form, _scope, place) => {
  throw syntaxError(`bad use of '${isIdentifier(form.car) ? form.car.name : ''}' syntactic keyword`, place)
}

const delay: FormCompiler = (form, scope, place) => {
  const [body] = argumentsOf(form, place, 1, 1) as [Item]
  const thunk: Node = compileLambda(NIL, (inner) => compile(body.value, inner, body.place), scope, place)
  return new Builtin([thunk], place, (_machine, [made]) => new Promised(made as Value))
}

export function libraryFor(world: SchemeWorld, loaders: Loaders): Library {
  const ports = portProcedures({ openInput: openFile(world, 'data'), print: (line) => world.print(line) })
  const formatting = (run: (text: string, args: readonly Value[]) => string): Entry => [1, ANY, (_machine, target, ...args) => {
    const [port, text, rest] = typeof target === 'string' ? [false as const, target, args] : [target, args[0], args.slice(1)]
    const made = run(string(text ?? false, 2), rest)
    if (port === false) return made
    const out = port === true ? ports.parameters.get('current-output-port')?.value : port
    if (out instanceof OutputPort) out.write(made)
    return UNSPECIFIED
  }]
  const formatTable: Table = { format: formatting(format), 'simple-format': formatting(simpleFormat) }
  const environment = environmentProcedures(world)
  const parameters: Finder = (name) => ports.parameters.get(name)
  const guile = first(
    forms(coreForms), forms(conditionalForms), forms(controlForms),
    (name) => (Object.hasOwn(definingForms, name) ? new SpecialForm(name, definingForms[name]?.[0] as FormCompiler, definingForms[name]?.[1]) : undefined),
    forms({
      else: auxiliary, '=>': auxiliary, '...': auxiliary, _: auxiliary, unquote: auxiliary, 'unquote-splicing': auxiliary, quasiquote: compileQuasiquote, '@': moduleReference, '@@': moduleReference, delay, 'current-filename': () => new Constant(loaders.currentFile()),
      'current-source-location': () => new Constant(false),
    }),
    procedures(lists), procedures(strings), procedures(stringComparisons), procedures(symbols), procedures(numbers), procedures(vectors), procedures(hashTables), procedures(control), procedures(sorting),
    procedures(environment), procedures(ports.tables.guile), procedures(formatTable), primitives(controlPrimitives), parameters, fixed(new Map(Object.entries(charSets))),
    fixed(new Map<string, Value>([['load', loaders.load], ['primitive-load', loaders.primitiveLoad], ['*unspecified*', UNSPECIFIED]])),
  )
  const core = (names: Table): Finder => first(procedures(names), (name) => (Object.hasOwn(names, name) ? undefined : guile(name)))
  const raising = first(forms({ guard: guardForm }), primitives([raise]), (name) => (name === 'with-exception-handler' ? guile(name) : undefined))
  const modules: Readonly<Record<string, Finder>> = {
    '(guile)': guile,
    // The SRFIs that (guile) has built in export its own procedures again: #:prefix and #:select work on them.
    '(srfi srfi-1)': first(procedures(srfi1), procedures(lists)),
    '(srfi srfi-13)': first(procedures(strings), procedures(stringComparisons)),
    '(srfi srfi-14)': first(procedures(symbols), fixed(new Map(Object.entries(charSets)))),
    '(srfi srfi-16)': (name) => (name === 'case-lambda' ? guile(name) : undefined),
    '(srfi srfi-39)': first(parameters, (name) => (name === 'make-parameter' || name === 'parameterize' ? guile(name) : undefined)),
    '(ice-9 optargs)': (name) => (/^(?:define|lambda)\*$/.test(name) ? guile(name) : undefined),
    '(ice-9 ports)': first(procedures(ports.tables.guile), parameters),
    '(srfi srfi-2)': forms({ 'and-let*': andLetForm }),
    '(ice-9 and-let-star)': forms({ 'and-let*': andLetForm }),
    '(srfi srfi-8)': forms({ receive: receiveForm }),
    '(ice-9 receive)': forms({ receive: receiveForm }),
    '(srfi srfi-9)': (name) => (name === 'define-record-type' ? new Macro(name, expandRecordType) : undefined),
    '(srfi srfi-11)': forms(valuesForms),
    '(srfi srfi-26)': forms(cutForms),
    '(srfi srfi-34)': raising,
    '(srfi srfi-98)': (name) => (name === 'get-environment-variable' ? procedures({ [name]: environment.getenv as Entry })(name) : undefined),
    '(ice-9 match)': forms(matchForms),
    '(ice-9 format)': procedures({ format: formatTable.format as Entry }),
    '(ice-9 rdelim)': procedures(ports.tables.rdelim),
    '(ice-9 textual-ports)': procedures(ports.tables.textual),
    '(ice-9 hash-table)': procedures(alistTables),
    '(ice-9 string-fun)': procedures(stringFunctions),
    '(ice-9 control)': primitives(escapes),
    '(ice-9 exceptions)': first(raising, procedures(exceptions), primitives([raiseContinuable]), (name) => (name === 'raise-exception' ? guile(name) : undefined)),
    '(rnrs base)': core({ ...exactness, ...vectorMapping }),
    '(scheme base)': core({ ...exactness, ...vectorMapping }),
  }
  return {
    output: ports.current,
    module(name, registry) {
      const found = Object.hasOwn(modules, name) ? modules[name] : undefined
      return found === undefined ? undefined : new Module(name, registry, found)
    },
  }
}

