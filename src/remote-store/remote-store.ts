import type { Consumer } from '../protocol/consumer.js'
import type { Rung } from '../state/rung-memory.js'

/** How a derivation is to be built there. */
export interface BuildOptions {
  /** Seconds without output after which the build is given up; 0: never. */
  readonly maxSilentTime: number
  /** Seconds after which the build is given up; 0: never. */
  readonly timeout: number
  /** The machine may offload further. Off by default: two machines that list each other would send a build in a circle. */
  readonly offloadOnward?: boolean | undefined
  /** Cores a build may use, 0 for all; undefined: what the daemon there is set to. */
  readonly cores?: number | undefined
  /** The machine may fetch from its substitute servers. On by default; builds if a promised substitute then cannot be had. */
  readonly useSubstitutes?: boolean | undefined
}

/** Makes the bytes of a bundle, anew each time: where one way of sending it fails, another is tried. */
export type Bundle = () => AsyncIterable<Uint8Array>

/**
 * The store of a build machine. One request at a time unless a method says that it may run beside another.
 *
 * Every error is an OffloadFailure that names the machine and the step, or the reason of the abort signal the store was opened with. After the first
 * one the store is of no more use but for {@link RemoteStore.close}.
 */
export interface RemoteStore {
  /** The way to it. */
  readonly rung: Rung

  /**
   * Which of `paths` are not valid there, in the given order. One round trip, however many.
   * @throws OffloadFailure `daemon-connection-lost`, …
   */
  missing(paths: readonly string[]): Promise<string[]>

  /**
   * Adds a text, such as a derivation; no signature needed. Its references must be valid there or be named to stay missing. Absent: not possible on
   * this rung, a bundle is the only way in.
   * @param name what follows the hash in the store file name
   * @returns the store path, which the caller compares with its own
   * @throws OffloadFailure `reference-missing`, `disk-full`
   */
  addText?(name: string, text: string | Uint8Array, references: readonly string[]): Promise<string>

  /**
   * Imports a bundle, which is pulled no faster than it is taken there.
   * @param size about how many bytes it has: decides how it is sent
   * @throws OffloadFailure of kind trust: `signing-key-not-authorized` (our key is not in the acl there), `signature-refused`; of kind machine:
   * `disk-full`, `reference-missing`, `daemon-refused`
   */
  importBundle(bundle: Bundle, size: number): Promise<void>

  /**
   * Builds one derivation.
   * @param onLog gets what the builder prints, byte for byte; the daemon waits while it is busy
   * @throws BuildError `build-failed` (status 100), `build-timed-out` (status 101); of kind machine: `build-users-exhausted`, `disk-full` (both to be
   * tried again later), `builder-killed`, `builds-disabled`, `inputs-missing`, `daemon-refused`
   */
  build(derivation: string, options: BuildOptions, onLog: Consumer): Promise<void>

  /**
   * Streams one member of a bundle: archive, trailer, signature, without the 1 that introduces it. Nothing is read from the machine while `onData`
   * is busy. May not run beside {@link RemoteStore.build}.
   * @throws OffloadFailure `daemon-refused`, …; what `onData` throws, as it is
   */
  exportItem(path: string, onData: Consumer): Promise<void>

  /**
   * Keeps items from collection until the store is closed. They need not be valid yet: call it before {@link RemoteStore.missing}, else what is valid
   * then may be gone a moment later. Where round trips are long only the first few are kept: the most important ones come first.
   * @returns how many were kept
   */
  keep(paths: readonly string[]): Promise<number>

  /**
   * Makes the machine ready to sign, so that the first export does not have to wait for it. May run beside any other method, and never rejects.
   * @param path something small and valid, such as the derivation
   */
  warmUpSigning(path: string): Promise<void>

  /** Ends every connection, and with them a build that is still running and all protection from collection. Safe to call twice. */
  close(): Promise<void>
}
