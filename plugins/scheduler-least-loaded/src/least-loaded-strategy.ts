import type { Candidate, SchedulingStrategy } from 'guix-offload/plugin-api'
import { describeSpeed } from 'guix-offload-scheduler-common/describe-speed.js'
import { freeSpeed, type FreeSpeedWeights } from 'guix-offload-scheduler-common/free-speed.js'

export interface Weights extends FreeSpeedWeights {
  /** What a machine counts for that has not answered, and may never: it comes after those that have. */
  readonly unanswered: number
}

export const defaultWeights: Weights = { floor: 0.2, processors: 0.5, slots: 0.5, emulation: 8, unanswered: 0.001 }

/** Speed × free share: the machine that would give the build most, by what all of them have just said of themselves. */
export const leastLoaded = (weights: Weights = defaultWeights): SchedulingStrategy => ({
  name: 'least-loaded',
  needs: { probes: 'all' },
  rank(_request, candidates, { random }) {
    const score = (candidate: Candidate): number => freeSpeed(candidate, weights) * (candidate.probe === undefined ? weights.unanswered : 1)
    return candidates
      .map((candidate) => ({ candidate, score: score(candidate), reason: describe(candidate), chance: random() }))
      .sort((a, b) => b.score - a.score || a.chance - b.chance)
      .map(({ candidate, score, reason }) => ({ candidate, score, reason }))
  },
})

export const leastLoadedStrategy = leastLoaded()

/** `speed 2, pressure 0.31, 3 of 4 slots free` */
function describe(candidate: Candidate): string {
  return `${describeSpeed(candidate)}, ${candidate.freeSlots} of ${candidate.machine.parallelBuilds} slots free`
}
