/** Faults of the link to a build machine, in every phase, by both transports that keep one: lost without a word, flapping. Refused and dead addresses: unreachable.test.ts. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Farm } from '../support/farm.js'
import { expectBuilt, expectElsewhere, expectNothingLeftOf, faultPhases, phasesAfterChoice, runRow, startFaultFarm } from '../support/fault-matrix.js'
import { linkLost } from '../support/machine-faults.js'

/** keepAlive × misses, as the farm is configured; ssh counts in whole seconds. */
const silenceMs = { ssh2: 900, openssh: 2000 } as const

describe.each(['ssh2', 'openssh'] as const)('by transport %s', (transport) => {
  let farm: Farm

  beforeAll(async () => {
    farm = await startFaultFarm({ name: `link-${transport}`, configuration: `transport: ${transport}\n` })
  })
  afterAll(() => farm[Symbol.asyncDispose]())

  it.each(faultPhases)('a link that is lost without a word during: %s', async (phase) => {
    const seen = await runRow(farm, { phase, ...linkLost })
    await expectElsewhere(farm, seen, /^connection-lost$/)
    console.info(`${transport}: lost during ${phase}: noticed and replaced after ${seen.noticedMs ?? 'no'} ms`)
    // Noticing takes keepAlive × misses, and the choice of another machine a moment; far from the time-outs of TCP, which are minutes.
    if (phasesAfterChoice.includes(phase)) {
      expect(seen.noticedMs).toBeGreaterThan(silenceMs[transport] / 2)
      expect(seen.noticedMs).toBeLessThan(60_000)
    }
    await expectNothingLeftOf(farm, seen)
  })

  describe('a link that comes and goes', () => {
    // TCP sends what was lost again after twice as long each time: a link that is there two thirds of the time is silent for longer than it is away.
    beforeAll(() => farm.master.writeFile('/etc/guix/offload.yaml', `transport: ${transport}\ntimeouts: { keepAlive: 2s, keepAliveMisses: 5, stall: 10s }\n`))

    it.each(phasesAfterChoice)('each time for less than keepAlive × misses costs nothing during: %s', async (phase) => {
      let flaps = 0
      const seen = await runRow(farm, {
        phase,
        strike: async (b1) => {
          for (; flaps < 3; flaps += 1) {
            await b1.disconnect()
            await sleep(200)
            await b1.reconnect()
            await sleep(400)
          }
        },
        mend: linkLost.mend,
      })
      await expectBuilt(farm, seen, 'b1')
      expect(flaps).toBe(3)
      expect(seen.history).toHaveLength(1)
      expect(seen.outcome.log).not.toContain('failed')
      await expectNothingLeftOf(farm, seen)
    })
  })
})
