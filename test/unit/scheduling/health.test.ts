import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { BuildError, ConfigurationError, InternalError, MachineError, ProtocolError, TrustError } from '../../../src/errors/offload-error.js'
import type { Probe } from '../../../src/plugin-api/index.js'
import { clockTime, dateAndTime } from '../../../src/scheduling/clock-time.js'
import { believedProbe, restMs } from '../../../src/scheduling/health.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeClock } from './fake-clock.js'
import { SharedMemory } from './fake-health.js'

const report = { code: 'connect-timeout', step: 'connecting', problem: 'no answer within 10 s', machine: 'b1', cure: 'Is it switched on?' }
const dead = new MachineError(report)
const b1 = machine('b1')
const start = 1_000_000

let clock: FakeClock
let memory: SharedMemory

beforeEach(() => {
  clock = new FakeClock()
  memory = new SharedMemory()
})

describe('a machine that fails', () => {
  it('is left alone for 15 s by every process, then tried by one at a time', async () => {
    const [one, other] = [memory.health(clock), memory.health(clock)]
    expect(one.outlook(b1)).toEqual({ state: 'well', slow: false })
    one.failed(b1, 'reach', dead, clock.now())
    const reason = `set aside until ${clockTime(start + 15_000)}: connecting: no answer within 10 s at ${clockTime(start)}`
    expect(other.outlook(b1)).toEqual({ state: 'resting', reason, slow: false })
    await clock.advance(14_999)
    expect(other.outlook(b1).state).toBe('resting')
    await clock.advance(1)
    expect(other.outlook(b1)).toEqual({ state: 'due', reason, slow: false })
    expect([other.begin(b1), one.begin(b1)]).toEqual(['begun', 'taken'])
    other.leave(b1)
    other.leave(b1)
    expect(one.begin(b1)).toBe('begun')
    one.passed(b1, 'reached')
    expect([other.outlook(b1).state, memory.troubles.size, memory.trials.size]).toEqual(['well', 0, 0])
  })

  it('rests twice as long each time, up to ten minutes, and from the start again after a success', async () => {
    const health = memory.health(clock)
    const rests: number[] = []
    for (let failure = 0; failure < 8; failure += 1) {
      expect(health.begin(b1)).toBe('begun')
      health.failed(b1, 'reach', dead, clock.now())
      const { until, at, since, failures } = memory.troubles.get('b1') ?? { until: 0, at: 0, since: 0, failures: 0 }
      expect([since, failures]).toEqual([start, failure + 1])
      rests.push((until - at) / 1000)
      await clock.advance(until - clock.now())
    }
    expect(rests).toEqual([15, 30, 60, 120, 240, 480, 600, 600])
    expect(health.outlook(b1).reason).toMatch(/, failure 8 in a row$/)
    health.passed(b1, 'reached')
    health.failed(b1, 'reach', dead, clock.now())
    expect(memory.troubles.get('b1')).toMatchObject({ failures: 1, since: clock.now(), until: clock.now() + 15_000 })
  })

  it('has failed once, however many builds it takes with it', async () => {
    const hooks = Array.from({ length: 30 }, () => memory.health(clock))
    const began = clock.now()
    for (const [index, hook] of hooks.entries()) {
      await clock.advance(index)
      hook.failed(b1, index % 2 === 0 ? 'reach' : 'use', dead, began)
    }
    expect(memory.troubles.get('b1')).toMatchObject({ failures: 1, at: start, until: start + 15_000 })
    // Long after: a build that had begun before.
    await clock.advance(600_000)
    hooks[0]?.failed(b1, 'use', dead, began)
    expect(memory.troubles.get('b1')?.failures).toBe(1)
    hooks[0]?.failed(b1, 'use', dead, clock.now())
    expect(memory.troubles.get('b1')?.failures).toBe(2)
  })

  it('during a build is used by all again once it takes inputs, and cleared once it has built', async () => {
    const [one, other] = [memory.health(clock), memory.health(clock)]
    one.failed(b1, 'use', dead, clock.now())
    await clock.advance(15_000)
    expect(one.begin(b1)).toBe('begun')
    // That it answers is not what was in doubt.
    one.passed(b1, 'reached')
    expect([other.outlook(b1).state, other.begin(b1)]).toEqual(['due', 'taken'])
    one.passed(b1, 'used')
    expect([other.outlook(b1).state, memory.trials.size]).toEqual(['well', 0])
    const began = clock.now()
    await clock.advance(1000)
    one.failed(b1, 'use', dead, began)
    expect(memory.troubles.get('b1')).toMatchObject({ failures: 2, since: start, until: clock.now() + 30_000, passed: false })
    await clock.advance(30_000)
    other.begin(b1)
    other.passed(b1, 'used')
    other.passed(b1, 'done')
    expect(memory.troubles.size).toBe(0)
  })

  it('when another process has tried it in vain is not tried at once again', async () => {
    const [one, other] = [memory.health(clock), memory.health(clock)]
    one.failed(b1, 'reach', dead, clock.now())
    await clock.advance(15_000)
    expect([one.outlook(b1).state, other.outlook(b1).state]).toEqual(['due', 'due'])
    one.begin(b1)
    one.failed(b1, 'reach', dead, clock.now())
    expect([other.begin(b1), memory.trials.size]).toEqual(['failed', 0])
  })

  it('on trial, and lets us wait, rests at once, whether or not we see the end of it', async () => {
    const [one, other] = [memory.health(clock), memory.health(clock)]
    one.failed(b1, 'reach', dead, clock.now())
    await clock.advance(15_000)
    one.begin(b1)
    const began = clock.now()
    await clock.advance(1_000)
    one.doubted(b1, 1_000)
    expect(other.outlook(b1)).toMatchObject({ state: 'resting', reason: expect.stringMatching(/no answer within 1 s when it was tried again at .*, failure 2 in a row$/) as string })
    await clock.advance(9_000)
    one.failed(b1, 'reach', dead, began)
    expect(memory.troubles.get('b1')).toMatchObject({ failures: 2, since: start, until: clock.now() + 30_000, code: 'connect-timeout' })
    await clock.advance(30_000)
    one.begin(b1)
    one.doubted(b1, 1_000)
    one.passed(b1, 'reached')
    expect([memory.troubles.size, memory.trials.size]).toEqual([0, 0])
  })

  it('before it is reached is cleared by being reached', () => {
    const health = memory.health(clock)
    health.failed(b1, 'reach', dead, clock.now())
    health.passed(b1, 'reached')
    expect(memory.troubles.size).toBe(0)
  })

  it.each<[string, Error]>([
    ['a build\'s own failure', new BuildError({ ...report, code: 'build-failed' }, 100)],
    ['a passing shortage', new MachineError({ ...report, code: 'server-busy' }, 'later')],
    ['what is the same with any machine', new MachineError({ ...report, code: 'item-not-valid' }, 'never')],
    ['a mistake in the configuration', new ConfigurationError(report)],
    ['a mistake in the configuration of this machine', new ConfigurationError({ ...report, code: 'private-key-unreadable' }, 'other-machine')],
    ['a mistake of ours', new InternalError('impossible')],
  ])('is not blamed for %s', (_what, error) => {
    const health = memory.health(clock)
    expect(health.begin(b1)).toBe('begun')
    health.failed(b1, 'reach', error, clock.now())
    health.failed(b1, 'use', error, clock.now())
    expect([memory.troubles.size, memory.trials.size]).toEqual([0, 0])
  })

  it.each<[string, Error, 'reach' | 'use', boolean]>([
    ['a peer that breaks the protocol', new ProtocolError(report), 'use', true],
    ['another host key', new TrustError({ ...report, code: 'host-key-mismatch' }), 'reach', true],
    ['whatever a transport throws', new TypeError('a bug'), 'reach', true],
    ['a bug while it is in use', new TypeError('a bug'), 'use', false],
  ])('%s', (_what, error, stage, counts) => {
    memory.health(clock).failed(b1, stage, error, clock.now())
    expect(memory.troubles.size).toBe(counts ? 1 : 0)
  })

  it('does not rest for ever because a clock was wrong', async () => {
    const health = memory.health(clock)
    await clock.advance(3_600_000)
    health.failed(b1, 'reach', dead, clock.now())
    const early = memory.health({ now: () => start })
    expect(early.outlook(b1)).toEqual({ state: 'well', slow: false })
    early.failed(b1, 'reach', dead, start)
    expect(memory.troubles.get('b1')).toMatchObject({ failures: 1, at: start })
  })
})

describe('how long a machine rests', () => {
  it('is 15 s doubled with every failure but the first, at most 10 min, and up to a fifth less by chance', () => {
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(fc.property(fc.integer({ min: 1, max: 10_000 }), chance, chance, (failures, one, other) => {
      const rest = restMs(failures, one)
      const full = Math.min(600_000, 15_000 * 2 ** (failures - 1))
      expect(rest).toBeLessThanOrEqual(full)
      expect(rest).toBeGreaterThanOrEqual(full * 0.8 - 1)
      // Whatever the chance: longer, until it is as long as can be.
      if (full < 300_000) expect(restMs(failures + 1, other)).toBeGreaterThan(rest)
    }))
    expect(new Set(Array.from({ length: 50 }, (_, index) => restMs(3, index / 50))).size).toBe(50)
  })
})

describe('a machine that a person has disabled', () => {
  it('is out until the time is over, whatever its health', async () => {
    const health = memory.health(clock)
    memory.disabled.set('b1', { since: start, until: start + 60_000, by: 'ann' })
    health.failed(b1, 'reach', dead, clock.now())
    health.passed(b1, 'done')
    expect(health.outlook(b1)).toEqual({ state: 'disabled', slow: false, reason: `disabled until ${dateAndTime(start + 60_000)}: by ann at ${dateAndTime(start)}` })
    await clock.advance(60_000)
    expect(health.outlook(b1).state).toBe('well')
    memory.disabled.set('b1', { since: start })
    expect(health.outlook(b1).reason).toBe(`disabled until it is enabled: by somebody at ${dateAndTime(start)}`)
  })
})

describe('the last probe', () => {
  const probe = (at: number): Probe => ({ at, load: 0.4, cores: 4, normalizedLoad: 0.1, freeBytes: 7 })

  it('counts for 10 s, for every process', async () => {
    memory.health(clock).probed(b1, { probe: probe(start), taken: 1 })
    const other = memory.health(clock)
    await clock.advance(9_999)
    expect(other.outlook(b1).last).toEqual({ probe: probe(start), taken: 1 })
    await clock.advance(1)
    expect(other.outlook(b1).last).toBeUndefined()
    other.probed(b1, { probe: probe(clock.now() + 1), taken: 0 })
    expect(other.outlook(b1).last, 'by a clock that was ahead').toBeUndefined()
  })

  it('is corrected by what has been started since, and not by what has ended', () => {
    const last = { probe: probe(start), taken: 2 }
    expect(believedProbe(last, 2)).toEqual(probe(start))
    expect(believedProbe(last, 0)).toEqual(probe(start))
    expect(believedProbe(last, 4)).toEqual({ ...probe(start), load: 2.4, normalizedLoad: 0.6 })
    expect(believedProbe(last, 12)).toMatchObject({ load: 10.4, normalizedLoad: 1 })
  })
})
