import type { ErrorFactory } from './errors.js'
import type { SchemeToolkit } from './scheme.js'
import type { MachineSource } from './source.js'
import type { SchedulingStrategy } from './strategy.js'
import type { Transport } from './transport.js'

/** What a contribution gets when it is made. */
export interface PluginHost {
  readonly errors: ErrorFactory
  readonly log: Log
  /** The contribution's own section of the configuration file's `plugins`, unchecked; undefined if there is none. */
  readonly options: unknown
  /** The evaluator of Scheme programs, loaded on first use. */
  scheme(): Promise<SchemeToolkit>
  /**
   * Reads a file that will be run as code: it and its folders must belong to root or to the user we run as and not be writable by others; links into the store are
   * fine. The text is UTF-8.
   * @throws OffloadFailure of kind configuration that says which file or folder, and how to mend it; a system error (`ENOENT` …) if it cannot be read
   */
  readTrustedFile(path: string): Promise<string>
}

/** Goes to the user's terminal through guix-daemon or to stderr. One line per call, without newline. */
export interface Log {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
}

/** Called once, on first use: import heavy libraries in here, not at the top of the module. */
export type Factory<T> = (host: PluginHost) => T | Promise<T>

/** Takes contributions. A name taken twice is an error that names both packages. */
export interface Registrar {
  /** Semantic version of this interface. */
  readonly apiVersion: string
  transport(name: string, factory: Factory<Transport>): void
  schedulingStrategy(name: string, factory: Factory<SchedulingStrategy>): void
  machineSource(name: string, factory: Factory<MachineSource>): void
}

/**
 * The default export of the module that a plugin's `package.json` names under `oclif.hooks["offload:contribute"]`.
 * It must return at once and must not print.
 */
export type ContributeHook = (options: { readonly registrar: Registrar }) => void | Promise<void>
