import type { SchemeFailure, SchemeLimits, SchemeModule, SchemeWorld } from '../../../src/plugin-api/index.js'
import { schemeToolkit } from '../../../src/scheme/toolkit.js'
import { Engine } from '../../../src/scheme/machine.js'
import { Env, Node, type Machine, type Process, type Result } from '../../../src/scheme/execution.js'
import { print } from '../../../src/scheme/printer.js'
import { Program } from '../../../src/scheme/program.js'

const notFound = (path: string): Error => Object.assign(new Error(path), { code: 'ENOENT' })

export interface Surroundings {
  readonly files?: Readonly<Record<string, string>>
  readonly printed?: string[]
  readonly environment?: Readonly<Record<string, string>>
}

export function worldOf({ files = {}, printed = [], environment = {} }: Surroundings = {}): SchemeWorld {
  return {
    environment,
    hostName: 'here',
    account: { name: 'root', uid: 0, gid: 0, home: '/root' },
    readFile: async (path) => {
      const text = files[path]
      if (text === undefined) throw notFound(path)
      return text
    },
    fileExists: (path) => path in files,
    print: (line) => { printed.push(line) },
  }
}

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

/** What `write` prints of a program's value. */
export async function run(text: string, surroundings: Surroundings = {}): Promise<string> {
  const program = new Program(worldOf(surroundings), [], () => [])
  const engine = new Engine({ steps: 3_000_000, depth: 400_000, time: 5_000 }, { file: 'test', line: 1, column: 0 })
  const value = await engine.run(new Start(() => program.evaluate(text, 'test')), new Env([], undefined))
  program.finish()
  return print(value, true)
}

/** How a program fails, with its place as `line:column`. */
export async function failure(text: string, options: Surroundings & { limits?: Partial<SchemeLimits>; modules?: readonly SchemeModule[]; imports?: readonly string[] } = {}): Promise<SchemeFailure & { at: string }> {
  const { modules = [], imports = [], limits = {} } = options
  const outcome = await schemeToolkit.evaluate({ text, file: 'test', modules, imports }, worldOf(options), limits)
  if (outcome.failure === undefined) throw new Error(`it did not fail but gave ${JSON.stringify(outcome.value, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))}`)
  const { line, column } = outcome.failure.location
  return { ...outcome.failure, at: `${line}:${column}` }
}
