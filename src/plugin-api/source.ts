import type { BuildMachine, Warning } from './machine.js'

export interface SourceContext {
  /** Aborted when the caller has lost interest or time is up. */
  readonly signal: AbortSignal
  /** A file the user named on the command line instead of the usual one. */
  readonly file?: string | undefined
  /** Guix's configuration folder, `/etc/guix` unless the environment says otherwise. */
  readonly configurationDirectory: string
  /** The home folder of the user we run as, from the passwd entry (`HOME` is not to be trusted under guix-daemon). */
  readonly homeDirectory: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Knows of build machines. */
export interface MachineSource {
  readonly name: string
  /**
   * Lists the machines. An entry that is wrong is left out with a warning; an error is thrown only if nothing can be listed at all.
   * @throws OffloadFailure of kind configuration
   */
  list(context: SourceContext): Promise<MachineList>
}

export interface MachineList {
  readonly machines: readonly BuildMachine[]
  readonly warnings: readonly Warning[]
  /** What evaluated or answered, e.g. `built-in` or `guix repl`. */
  readonly engine?: string | undefined
}
