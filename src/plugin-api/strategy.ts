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
  /** What `uname -m` says; undefined where it says nothing. */
  readonly architecture?: string | undefined
}

/**
 * A machine that could take the build: it suits, is believed to be in order, and a slot on it is reserved for this request. What is not said below to be always there is given
 * where it is known, for what a strategy {@link StrategyNeeds | needs} as for what it does not.
 */
export interface Candidate {
  readonly machine: BuildMachine
  /** Free slots, the one reserved for this request included: 1 to `machine.parallelBuilds`. Only builds from this host take slots. Always there. */
  readonly freeSlots: number
  /**
   * With `needs.probes: 'all'`: not older than 10 s, from this request or from another one shortly before; undefined if the machine has not answered in time. Otherwise, if there, from another
   * request. `load` and `normalizedLoad` count one for each build in `startedSince`; `pressure` is as it was.
   */
  readonly probe?: Probe | undefined
  /** Builds that this host has sent there since the probe. Undefined where there is no probe, or none was sent. */
  readonly startedSince?: number | undefined
  /** It would run the build's programs in an emulator, many times slower than its `speed` says. Undefined: as far as is known, it would not. */
  readonly emulated?: boolean | undefined
  /** With `needs.inputs`: bytes of the direct inputs that are believed to be there already. Undefined if the inputs' sizes are not known. */
  readonly presentBytes?: number | undefined
  /** With `needs.inputs`: bytes of the direct inputs that would have to be sent. Defined where `presentBytes` is; together they are all that the derivation names. */
  readonly missingBytes?: number | undefined
  /** With `needs.inputs`: bytes of archives per second that the link carries, as transfers worth measuring have shown; a link that is busy looks slower. Undefined as long as there was none. */
  readonly bytesPerSecond?: number | undefined
  /** Round trip of a connection made for this request, milliseconds. Undefined if none was. */
  readonly roundTripMs?: number | undefined
}

/** One place in a ranking. */
export interface Ranked {
  /** One of those given: the object itself. */
  readonly candidate: Candidate
  /** Higher is better; only compared within one ranking. */
  readonly score: number
  /** For people, with the figures that decided: `speed 2, load 0.31`. */
  readonly reason: string
}

/** What a strategy may know besides the request and the candidates. */
export interface RankContext {
  /** Milliseconds since the epoch: the only clock a strategy may use. */
  readonly now: number
  /** Uniform in [0, 1): the only source of chance a strategy may use. */
  readonly random: () => number
  /** With `needs.inputs`: seconds that builds of this package, or of any where there was none, have lately taken, as for a machine of speed 1. Undefined where nothing is known. */
  readonly expectedSeconds?: number | undefined
}

/** What a strategy wants to know of the candidates. It costs time while guix-daemon waits: what is not asked for is not gathered. */
export interface StrategyNeeds {
  /** `all`: every candidate is asked how it is, side by side, before they are ranked. Without it, machines are asked in the order of the ranking until one is fit. */
  readonly probes?: 'all' | undefined
  /** What each would have to be sent: the derivation is read, the local daemon is asked for sizes, and what was sent to, built on and found missing on each machine is remembered. */
  readonly inputs?: boolean | undefined
}

/**
 * Decides which machine is asked first. Pure: what it may know comes as arguments, which it leaves as they are, and the same arguments give the same ranking. Whether a machine is overloaded,
 * full or out of order is not its business: whom it ranks first is still turned down for that. `strategyConformance` of `guix-offload/plugin-api/testing` checks the promises.
 */
export interface SchedulingStrategy {
  readonly name: string
  /** Undefined: nothing but what is at hand anyway. */
  readonly needs?: StrategyNeeds | undefined
  /** Best first. A candidate left out is not used for this request. */
  rank(request: BuildRequest, candidates: readonly Candidate[], context: RankContext): readonly Ranked[] | Promise<readonly Ranked[]>
}
