import type { SchedulingStrategy } from 'guix-offload/plugin-api'
import { shuffled } from './shuffled.js'

/** The order of the `guix offload` that comes with Guix: fastest first, chance among equals. */
export const guixStrategy: SchedulingStrategy = {
  name: 'guix',
  rank(_request, candidates, { random }) {
    // Sorting is stable: machines of one speed stay shuffled.
    return shuffled(candidates, random)
      .sort((a, b) => b.machine.speed - a.machine.speed)
      .map((candidate) => ({ candidate, score: candidate.machine.speed, reason: `speed ${candidate.machine.speed}` }))
  },
}
