import type { Candidate } from 'guix-offload/plugin-api'

export interface FreeSpeedWeights {
  /** What is left at the least, however busy a machine is: among busy ones speed still decides. */
  readonly floor: number
  /** Exponent of the processors' share. */
  readonly processors: number
  /** Exponent of the slots' share. */
  readonly slots: number
  /** How many times slower programs run in an emulator. */
  readonly emulation: number
}

/** What of a machine's speed a build would find free. */
export function freeSpeed(candidate: Candidate, weights: FreeSpeedWeights): number {
  const speed = candidate.machine.speed / (candidate.emulated === true ? weights.emulation : 1)
  return speed * freeShare(candidate, weights)
}

/** The share of a machine (0-1) that a build would find free: of its processors, as last seen, times that of its slots, which only builds from this host take. */
function freeShare({ machine, freeSlots, probe, startedSince = 0 }: Candidate, { floor, processors, slots }: FreeSpeedWeights): number {
  // Pressure follows within seconds and counts only those that really wait; the load average needs a minute. What was started since is in the load already; of the processors it takes what its slot is worth.
  const busy = probe === undefined ? 0 : probe.pressure === undefined ? probe.normalizedLoad : probe.pressure + startedSince / machine.parallelBuilds
  const idle = Math.max(floor, 1 - busy)
  return Math.max(floor, idle ** processors * (freeSlots / machine.parallelBuilds) ** slots)
}
