import { MachineError } from '../errors/offload-error.js'
import type { Connection } from '../plugin-api/index.js'
import { buildVerdict } from '../protocol/build-verdict.js'
import type { Consumer } from '../protocol/consumer.js'
import { DaemonError } from '../protocol/daemon-error.js'
import { atMachine } from './at-machine.js'
import { BuildLogFilter } from './build-log-filter.js'
import { buildOverdue, verdictGraceMs } from './daemon-silent.js'
import { guixFailure, runGuix, type GuixCommand, type GuixResult } from './guix-command.js'
import { importStream } from './import-stream.js'
import { labelOf } from './label.js'
import type { Bundle, BuildOptions, RemoteStore } from './remote-store.js'
import { SingleMember } from './single-member.js'
import { WatchedSink } from './watched.js'

export interface CommandStoreOptions {
  /** Ends everything: its reason is what running methods reject with. */
  readonly signal: AbortSignal
  /** Milliseconds the first command has; undefined: for ever. */
  readonly greetingMs?: number | undefined
  /** Milliseconds in which something has to happen, but during a build; undefined: never mind. */
  readonly stallMs?: number | undefined
}

/**
 * A remote store by guix commands alone, one channel each, as the first `guix offload` of 2014 had it. What it cannot do: add texts (they go into the bundle), and keep items
 * from collection. A collection on the machine may thus take an input before the build has begun, or an output before it is fetched; that is then an error of the
 * machine's (`inputs-missing`, `reference-missing`), and the build is tried elsewhere.
 */
export class CommandStore implements RemoteStore {
  readonly rung = 'commands'
  readonly #connection: Connection
  readonly #options: CommandStoreOptions
  readonly #closing = new AbortController()
  readonly #signal: AbortSignal

  private constructor(connection: Connection, options: CommandStoreOptions) {
    this.#connection = connection
    this.#options = options
    this.#signal = AbortSignal.any([options.signal, this.#closing.signal])
  }

  /**
   * Finds out whether guix there gets to its daemon.
   * @throws OffloadFailure `guix-not-found`, `socket-unavailable`, and what {@link Connection.exec} throws
   */
  static async open(connection: Connection, options: CommandStoreOptions): Promise<CommandStore> {
    const store = new CommandStore(connection, options)
    await store.#ask([], { step: 'reaching its guix-daemon by guix', limitMs: options.greetingMs })
    return store
  }

  async missing(paths: readonly string[]): Promise<string[]> {
    if (paths.length === 0) return []
    const answer = new Set(await this.#ask(paths, { step: 'asking what is missing', limitMs: this.#options.stallMs }))
    return paths.filter((path) => answer.has(path))
  }

  importBundle(bundle: Bundle): Promise<void> {
    return importStream(this.#connection, bundle(), { signal: this.#signal, stallMs: this.#options.stallMs })
  }

  async build(derivation: string, options: BuildOptions, onLog: Consumer): Promise<void> {
    const step = 'building'
    const filter = new BuildLogFilter(derivation)
    const sink = new WatchedSink(onLog)
    let logTail = Buffer.alloc(0)
    const pass = (log: Buffer): Promise<void> | undefined => {
      if (log.length === 0) return undefined
      logTail = Buffer.concat([logTail, log]).subarray(-4096)
      return sink.take(log)
    }
    const overdue = new AbortController()
    const timer =
      options.timeout > 0
        ? setTimeout(() => overdue.abort(buildOverdue(labelOf(this.#connection.machine), options.timeout)), options.timeout * 1000 + verdictGraceMs)
        : undefined
    try {
      const { exit } = await runGuix(this.#connection, {
        args: ['build', ...buildArguments(options), derivation],
        step,
        signal: AbortSignal.any([this.#signal, overdue.signal]),
        limitMs: options.maxSilentTime > 0 ? options.maxSilentTime * 1000 + verdictGraceMs : undefined,
        onComplaint: (bytes) => pass(filter.push(bytes)),
      })
      await pass(filter.end())
      if (exit.code === 0) return
      const text = logTail.toString('utf8')
      const status = text.split('\n').some((line) => line.startsWith(`building of \`${derivation}' timed out after `)) ? 101 : 1
      throw verdict(guixFailure(this.#connection.machine, step, { exit, complaint: filter.complaint }, `${filter.complaint}\n${text}`, status), derivation)
    } catch (error) {
      throw error === sink.failure ? error : this.#place(error, step, derivation)
    } finally {
      clearTimeout(timer)
    }
  }

  async exportItem(path: string, onData: Consumer): Promise<void> {
    const step = 'retrieving a store item'
    const sink = new WatchedSink(onData)
    const member = new SingleMember(sink.take)
    try {
      await this.#run({ args: ['archive', '--export', path], step, limitMs: this.#options.stallMs, onOutput: (bytes) => member.push(bytes) })
      member.end()
    } catch (error) {
      throw error === sink.failure ? error : this.#place(error, step, path)
    }
  }

  /** No command does that. */
  keep(): Promise<number> {
    return Promise.resolve(0)
  }

  /** Every export has a daemon process of its own, and so a signing agent. */
  warmUpSigning(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.#closing.abort(
      new MachineError({
        code: 'daemon-connection-closed', machine: labelOf(this.#connection.machine), step: 'talking to the daemon', problem: 'we closed the connection',
      }),
    )
    return Promise.resolve()
  }

  /** What of `paths` is missing, in no particular order. */
  async #ask(paths: readonly string[], { step, limitMs }: Pick<GuixCommand, 'step' | 'limitMs'>): Promise<string[]> {
    const answer: Buffer[] = []
    const input = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from(paths.map((path) => `${path}\n`).join(''))
    }
    try {
      await this.#run({ args: ['archive', '--missing'], step, limitMs, input: input(), onOutput: (bytes) => void answer.push(Buffer.from(bytes)) })
    } catch (error) {
      throw this.#place(error, step)
    }
    return Buffer.concat(answer).toString('utf8').split('\n')
  }

  async #run(command: Omit<GuixCommand, 'signal'>): Promise<GuixResult> {
    const result = await runGuix(this.#connection, { ...command, signal: this.#signal })
    if (result.exit.code !== 0) throw guixFailure(this.#connection.machine, command.step, result)
    return result
  }

  #place(error: unknown, step: string, subject?: string): unknown {
    return atMachine(error, { machine: labelOf(this.#connection.machine), step, subject })
  }
}

/** Verbosity 3 shows the builder's output in all versions. */
function buildArguments({ maxSilentTime, timeout, offloadOnward, cores, useSubstitutes }: BuildOptions): string[] {
  return [
    '--verbosity=3',
    '--fallback',
    `--max-silent-time=${maxSilentTime}`,
    `--timeout=${timeout}`,
    ...(offloadOnward === true ? [] : ['--no-offload']),
    ...(cores === undefined ? [] : [`--cores=${cores}`]),
    ...(useSubstitutes === false ? ['--no-substitutes'] : []),
  ]
}

function verdict(failure: Error, derivation: string): Error {
  return failure instanceof DaemonError ? buildVerdict(failure, derivation) : failure
}

