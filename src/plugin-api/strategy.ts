import type { BuildMachine } from './machine.js'

/** One derivation to be built. */
export interface BuildRequest {
  /** Store path of the derivation. */
  readonly derivation: string
  readonly system: string
  readonly features: readonly string[]
  /** guix-daemon could start it locally now. */
  readonly wantsLocal: boolean
}

/** What was last seen of a machine. */
export interface Probe {
  /** When, milliseconds since the epoch. */
  readonly at: number
  /** 1-minute load average. */
  readonly load: number
  readonly cores: number
  /** min(1, load / cores). */
  readonly normalizedLoad: number
  /** Free bytes in the store's file system. */
  readonly freeBytes: number
  /** Share of time (0-1) in which some task waited for a processor, over 10 s; undefined where the kernel does not tell. */
  readonly pressure?: number | undefined
}

export interface Candidate {
  readonly machine: BuildMachine
  /** Free slots, the one taken for this request included. */
  readonly freeSlots: number
  readonly probe?: Probe | undefined
  /** Bytes of inputs believed to be there already. */
  readonly presentBytes?: number | undefined
}

export interface Ranked {
  readonly candidate: Candidate
  /** Higher is better; only compared within one ranking. */
  readonly score: number
  /** For people: `speed 2`. */
  readonly reason: string
}

export interface RankContext {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Uniform in [0, 1): the only source of chance a strategy may use. */
  readonly random: () => number
}

/** Decides which machine is asked first. Pure: what it may know comes as arguments. */
export interface SchedulingStrategy {
  readonly name: string
  /** Best first. A candidate left out is not used for this request. */
  rank(request: BuildRequest, candidates: readonly Candidate[], context: RankContext): readonly Ranked[] | Promise<readonly Ranked[]>
}
