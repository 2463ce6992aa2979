/** The toolkit that plugins get: programs in, plain data out. */
import type { SchemeFailure, SchemeLimits, SchemeModule, SchemeOutcome, SchemeProgram, SchemeToolkit, SchemeWorld } from '../plugin-api/index.js'
import { resetDepth } from './compile.js'
import { fromDatum, toDatum } from './datum.js'
import { describe } from './describe.js'
import { Env, Node, Primitive, type Machine, type Process, type Result } from './execution.js'
import { recordConstructor, type GuixField } from './forms/records.js'
import { Engine, Uncaught } from './machine.js'
import { Module, type Registry } from './module.js'
import { Program } from './program.js'
import { SpecialForm } from './scope.js'
import { Abort, WrongType } from './throw.js'
import { RecordInstance, RecordType, type Place, type Value } from './value.js'

const LIMITS: SchemeLimits = { steps: 3_000_000, depth: 400_000, time: 5_000 }

function moduleOf({ name, records = [], values = {}, procedures = {} }: SchemeModule, registry: Registry): Module {
  const found = new Map<string, Value>()
  for (const record of records) {
    const type = new RecordType(record.name, record.fields.map((field) => field.name))
    const fields = record.fields.map((field): GuixField => (field.default === undefined ? { name: field.name } : { name: field.name, default: fromDatum(field.default) }))
    found.set(record.name, new SpecialForm(record.name, recordConstructor(type, fields)))
    found.set(record.predicate, new Primitive(record.predicate, 1, 1, (_machine, value) => value instanceof RecordInstance && value.recordType === type))
    for (const [at, { accessor }] of record.fields.entries()) {
      if (accessor === undefined) continue
      found.set(accessor, new Primitive(accessor, 1, 1, (_machine, value) => {
        if (value instanceof RecordInstance && value.recordType === type) return value.values[at] as Value
        throw new WrongType(1, value, record.name)
      }))
    }
  }
  for (const [key, value] of Object.entries(values)) found.set(key, fromDatum(value))
  for (const [key, procedure] of Object.entries(procedures)) {
    found.set(key, new Primitive(key, 0, Infinity, (machine: Machine, ...args: Value[]): Result => {
      const result = procedure(...args.map(toDatum))
      return result instanceof Promise ? machine.suspend(result.then(fromDatum)) : fromDatum(result)
    }))
  }
  return new Module(name, registry, (key) => found.get(key))
}

/** Starts the program inside the machine, so that reading, compiling and running are all under its limits. */
class Start extends Node {
  readonly #process: () => Process
  constructor(process: () => Process) {
    super()
    this.#process = process
  }
  exec(machine: Machine): Result {
    return machine.iterate(this.#process())
  }
}

function failureOf(error: unknown, start: Place): SchemeFailure | undefined {
  if (error instanceof Abort) return { kind: error.kind, problem: error.problem, location: error.place ?? start, unknown: error.unknown }
  if (error instanceof Uncaught) return { kind: 'raised', problem: describe(error.origin.payload), location: error.origin.place ?? start }
  return undefined
}

async function evaluate(program: SchemeProgram, world: SchemeWorld, limits: Partial<SchemeLimits> = {}): Promise<SchemeOutcome> {
  const start: Place = { file: program.file, line: 1, column: 0 }
  resetDepth()
  try {
    const running = new Program(world, program.imports ?? [], (registry) => (program.modules ?? []).map((module) => moduleOf(module, registry)))
    const machine = new Engine({ ...LIMITS, ...limits }, start)
    const value = await machine.run(new Start(() => running.evaluate(program.text, program.file)), new Env([], undefined))
    running.finish()
    return { value: toDatum(value) }
  } catch (error) {
    const failure = failureOf(error, start)
    if (failure === undefined) throw error
    return { failure }
  }
}

export const schemeToolkit: SchemeToolkit = { evaluate }
