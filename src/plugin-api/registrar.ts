import type { ErrorFactory } from './errors.js'
import type { MachineSource } from './source.js'
import type { SchedulingStrategy } from './strategy.js'
import type { Transport } from './transport.js'

/** What a contribution gets when it is made. */
export interface PluginHost {
  readonly errors: ErrorFactory
  readonly log: Log
  /** The contribution's own section of the configuration file's `plugins`, unchecked; undefined if there is none. */
  readonly options: unknown
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
