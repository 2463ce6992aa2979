import type { Candidate, SchedulingStrategy } from 'guix-offload/plugin-api'
import { freeShare, type FreeShareWeights } from './free-share.js'

export interface Weights extends FreeShareWeights {
  /** How many times slower programs run in an emulator. */
  readonly emulation: number
  /** What a machine counts for that has not answered, and may never: it comes after those that have. */
  readonly unanswered: number
}

export const defaultWeights: Weights = { floor: 0.2, processors: 0.5, slots: 0.5, emulation: 8, unanswered: 0.001 }

/** Speed × free share: the machine that would give the build most, by what all of them have just said of themselves. */
export const leastLoaded = (weights: Weights = defaultWeights): SchedulingStrategy => ({
  name: 'least-loaded',
  needs: { probes: 'all' },
  rank(_request, candidates, { random }) {
    const score = (candidate: Candidate): number => {
      const speed = candidate.machine.speed / (candidate.emulated === true ? weights.emulation : 1)
      return speed * freeShare(candidate, weights) * (candidate.probe === undefined ? weights.unanswered : 1)
    }
    return candidates
      .map((candidate) => ({ candidate, score: score(candidate), reason: describe(candidate), chance: random() }))
      .sort((a, b) => b.score - a.score || a.chance - b.chance)
      .map(({ candidate, score, reason }) => ({ candidate, score, reason }))
  },
})

export const leastLoadedStrategy = leastLoaded()

/** `speed 2, pressure 0.31, 3 of 4 slots free` */
function describe({ machine, freeSlots, probe, startedSince = 0, emulated }: Candidate): string {
  const busy = probe === undefined ? 'no answer yet' : probe.pressure === undefined ? `load ${probe.normalizedLoad.toFixed(2)}` : `pressure ${probe.pressure.toFixed(2)}`
  return [
    `speed ${machine.speed}${emulated === true ? ' (emulated)' : ''}`,
    startedSince === 0 ? busy : `${busy} and ${startedSince} started since`,
    `${freeSlots} of ${machine.parallelBuilds} slots free`,
  ].join(', ')
}
