import type { BuildRequest } from '../plugin-api/index.js'

/** One accepted derivation. */
export interface OffloadTask {
  readonly request: BuildRequest
  /** Store paths of everything the build needs, the derivation included, closed under references. */
  readonly inputs: readonly string[]
  /** Store paths to bring back. */
  readonly outputs: readonly string[]
  /** Seconds; 0: no limit. */
  readonly maxSilentTime: number
  /** Seconds; 0: no limit. */
  readonly timeout: number
}

/** Counts what went over the wire. */
export interface Transfer {
  readonly items: number
  /** NAR bytes. */
  readonly bytes: number
}

export const nothingTransferred: Transfer = { items: 0, bytes: 0 }
