import type { Subprocess } from 'execa'
import { type BuildSettings, type DerivationSpec, derivationProgram } from './derivation-scheme.js'
import type { User } from './enter.js'
import type { Machine } from './machine.js'

export { type BuildSettings, currentSystem, type DerivationSpec, outputOf, type OutputOf } from './derivation-scheme.js'

export interface Derivation {
  readonly drv: string
  /** Output name → store path. */
  readonly outputs: Readonly<Record<string, string>>
  /** Whether all of its outputs are in the store. */
  readonly built: boolean
}

export interface BuildOutcome {
  /** In the order they were asked for. */
  readonly derivations: readonly Derivation[]
  /** What the client was told: the builders' output, the hook's messages, the trace. */
  readonly log: string
  /** The daemon's error: its message and status (100 permanent, 101 timed out, 1 otherwise). */
  readonly failure: { readonly message: string; readonly status: number } | undefined
  readonly milliseconds: number
}

export interface BuildOptions extends BuildSettings {
  /** Sees the log as it comes. */
  readonly onLog?: (text: string) => void
  /** Kills the client: the daemon then ends the build and its hook. */
  readonly signal?: AbortSignal
  readonly user?: User
}

interface Printed {
  readonly derivations: readonly { readonly drv: string; readonly outputs: Readonly<Record<string, string>> }[]
  readonly failure: { readonly message: string; readonly status: number } | null
  readonly valid: readonly string[]
}

let programs = 0

const runProgram = async (machine: Machine, program: string, { onLog, signal, user }: Pick<BuildOptions, 'onLog' | 'signal' | 'user'>) => {
  const path = `/tmp/testbed-derivations-${++programs}.scm`
  await machine.writeFile(path, program)
  const started = performance.now()
  const options = { stdin: 'ignore', maxBuffer: 256 * 2 ** 20, ...(signal === undefined ? {} : { cancelSignal: signal }) } as const
  const subprocess = machine.spawn(['guix', 'repl', path], options, { user })
  if (onLog !== undefined) (subprocess as unknown as Subprocess).stderr?.setEncoding('utf8').on('data', onLog)
  const { stdout, stderr } = await subprocess
  const milliseconds = Math.round(performance.now() - started)
  const { derivations, failure, valid } = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{"') + 1)) as Printed
  return {
    derivations: derivations.map(({ drv, outputs }) => ({ drv, outputs, built: Object.values(outputs).every((output) => valid.includes(output)) })),
    log: stderr,
    failure: failure ?? undefined,
    milliseconds,
  }
}

/** Builds derivations in one call of `build-derivations`, so independent ones run in parallel. A failed build is an outcome, not an exception. */
export const buildDerivations = (machine: Machine, wanted: readonly DerivationSpec[], options: BuildOptions = {}): Promise<BuildOutcome> =>
  runProgram(machine, derivationProgram(wanted, options), options)

export const buildDerivation = async (machine: Machine, wanted: DerivationSpec, options: BuildOptions = {}) => {
  const { derivations: [derivation], ...rest } = await buildDerivations(machine, [wanted], options)
  if (derivation === undefined) throw new Error(`guix repl told nothing about ${wanted.name}`)
  return { ...rest, ...derivation }
}

/** Only makes the .drv files in the machine's store. */
export const instantiate = async (machine: Machine, wanted: readonly DerivationSpec[]) =>
  (await runProgram(machine, derivationProgram(wanted, undefined), {})).derivations
