import type { BuildMachine, Warning } from './machine.js'

/** What a source is asked with. */
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
  /**
   * A folder for what a source remembers from one process to the next, made by whoever writes there first. It is shared by all hooks, and all of it may be lost at any
   * time. Undefined: nothing can be remembered.
   */
  readonly stateDirectory?: string | undefined
  /** True: a person has asked, and would rather wait a second or two than see what was true a minute ago. Otherwise guix-daemon waits, for every build. */
  readonly live?: boolean | undefined
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

/** What a source knows at this moment. */
export interface MachineList {
  readonly machines: readonly BuildMachine[]
  readonly warnings: readonly Warning[]
  /** What evaluated or answered, e.g. `built-in` or `guix repl`. */
  readonly engine?: string | undefined
  /** What was found and is not used: shown to people by `machines` and `status`, never asked to build. Absent: the source does not look around. */
  readonly found?: readonly FoundMachine[] | undefined
}

/** A machine that offers itself and is not used. What it says of itself is a stranger's word: texts are printable, and nothing else is promised. */
export interface FoundMachine {
  readonly name: string
  readonly port: number
  /** Where it can be reached, if not by name. */
  readonly address?: string | undefined
  /** The host key it claims to have, in OpenSSH's one-line form. */
  readonly hostKey?: string | undefined
  /** `not-trusted`: nothing vouches for its host key; `listed-already`: it is one of the machines in use; `unusable`: what it says of itself makes no sense. */
  readonly standing: 'not-trusted' | 'listed-already' | 'unusable'
  /** For people, without the name: `nothing vouches for its host key`. */
  readonly reason: string
  /** When it was last heard, in milliseconds since the epoch. */
  readonly heardAt: number
  /** What makes it trusted: appending the line to the file. */
  readonly pin?: { readonly file: string; readonly line: string } | undefined
}
