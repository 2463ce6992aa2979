import type { Candidate, RankContext, SchedulingStrategy } from 'guix-offload/plugin-api'
import { describeSpeed } from 'guix-offload-scheduler-common/describe-speed.js'
import { freeSpeed, type FreeSpeedWeights } from 'guix-offload-scheduler-common/free-speed.js'
import { describeBytes } from './describe-bytes.js'

export interface Weights extends FreeSpeedWeights {
  /** A second of sending counts this many times a second of building: while it is sent, the machine's processors serve other builds. */
  readonly transfer: number
  /** Bytes per second of a link that has never been measured and stands beside none that has. */
  readonly bytesPerSecond: number
  /** Seconds that a build of which nothing is known takes on a machine of speed 1. */
  readonly buildSeconds: number
  /** Round trips of an offload besides what it sends. */
  readonly roundTrips: number
  /** What a machine counts for that has not answered, and may never: it comes after those that have. */
  readonly unanswered: number
}

export const defaultWeights: Weights = {
  floor: 0.2, processors: 0.5, slots: 0.5, transfer: 0.5, bytesPerSecond: 10 * 2 ** 20, buildSeconds: 60, roundTrips: 20, emulation: 8, unanswered: 0.001,
}

/** The machine that would be done first, as far as can be told: the time to send what it lacks, and the time to build on what of it is free. */
export const locality = (weights: Weights = defaultWeights): SchedulingStrategy => ({
  name: 'locality',
  needs: { probes: 'all', inputs: true },
  rank(_request, candidates, context) {
    const usual = usualLink(candidates) ?? weights.bytesPerSecond
    return candidates
      .map((candidate) => {
        const seconds = secondsToSend(candidate, usual, weights) + secondsToBuild(candidate, context, weights)
        return { candidate, score: (candidate.probe === undefined ? weights.unanswered : 1) / seconds, reason: describe(candidate), chance: context.random() }
      })
      .sort((a, b) => b.score - a.score || a.chance - b.chance)
      .map(({ candidate, score, reason }) => ({ candidate, score, reason }))
  },
})

export const localityStrategy = locality()

/** Bytes per second of the links that have been measured, as they take time: the harmonic mean, in which one slow link weighs more than many fast ones. */
function usualLink(candidates: readonly Candidate[]): number | undefined {
  const measured = candidates.flatMap(({ bytesPerSecond }) => bytesPerSecond ?? [])
  return measured.length === 0 ? undefined : measured.length / measured.reduce((sum, bytesPerSecond) => sum + 1 / Math.max(1, bytesPerSecond), 0)
}

function secondsToSend(candidate: Candidate, usual: number, { transfer, roundTrips }: Weights): number {
  const { missingBytes = 0, roundTripMs = 0 } = candidate
  return (transfer * missingBytes) / linkSpeed(candidate, usual) + (roundTrips * roundTripMs) / 1000
}

/** One that was never measured is taken for a usual one, which the builds that run there share: else a burst of builds would all be sent over a link that turns out to be slow. */
function linkSpeed({ machine, freeSlots, bytesPerSecond }: Candidate, usual: number): number {
  return Math.max(1, bytesPerSecond ?? usual / (1 + machine.parallelBuilds - freeSlots))
}

function secondsToBuild(candidate: Candidate, { expectedSeconds }: RankContext, weights: Weights): number {
  return Math.max(0.001, expectedSeconds ?? weights.buildSeconds) / freeSpeed(candidate, weights)
}

/** `1.2 GiB of 1.3 GiB inputs there, speed 2, load 0.31` */
function describe(candidate: Candidate): string {
  const { presentBytes, missingBytes } = candidate
  const inputs = presentBytes === undefined || missingBytes === undefined ? [] : [`${describeBytes(presentBytes)} of ${describeBytes(presentBytes + missingBytes)} inputs there`]
  return [...inputs, describeSpeed(candidate)].join(', ')
}
