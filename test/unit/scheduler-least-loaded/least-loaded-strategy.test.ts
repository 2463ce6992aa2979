import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import contribute from '../../../plugins/scheduler-least-loaded/src/contribute.js'
import { leastLoaded, leastLoadedStrategy } from '../../../plugins/scheduler-least-loaded/src/least-loaded-strategy.js'
import type { BuildRequest, Candidate, Probe, Ranked } from '../../../src/plugin-api/index.js'
import { registered } from '../../support/registered.js'
import { machine } from '../machines/machine-fixture.js'

const request: BuildRequest = { derivation: '/gnu/store/x.drv', system: 'x86_64-linux', features: [], wantsLocal: false }
const probe = (normalizedLoad: number, pressure?: number): Probe => ({ at: 0, load: normalizedLoad * 4, cores: 4, normalizedLoad, freeBytes: 2 ** 40, pressure })
/** Four slots, all free, unless said otherwise. */
const candidate = (name: string, { speed = 1, ...rest }: Partial<Candidate> & { speed?: number }): Candidate => ({ machine: machine(name, { speed, parallelBuilds: 4 }), freeSlots: 4, ...rest })
const rank = (...candidates: Candidate[]) => leastLoadedStrategy.rank(request, candidates, { now: 0, random: () => 0.5 }) as readonly Ranked[]
const order = (...candidates: Candidate[]) => rank(...candidates).map(({ candidate: { machine: { name } } }) => name)

describe('the least-loaded strategy', () => {
  it('wants all to be asked', () => {
    expect(leastLoadedStrategy.needs).toEqual({ probes: 'all' })
  })

  it.each<[string, Candidate, Candidate]>([
    ['the idler one of equals', candidate('good', { probe: probe(0.1) }), candidate('bad', { probe: probe(0.6) })],
    ['the faster one of equally idle ones', candidate('good', { speed: 1.5, probe: probe(0.3) }), candidate('bad', { probe: probe(0.3) })],
    ['an idle one before a busy one that is twice as fast', candidate('good', { probe: probe(0) }), candidate('bad', { speed: 2, probe: probe(0.95) })],
    ['a fast one, though it is somewhat busier', candidate('good', { speed: 4, probe: probe(0.3) }), candidate('bad', { probe: probe(0) })],
    ['by pressure where there is one, whatever the load average still says', candidate('good', { probe: probe(0.9, 0) }), candidate('bad', { probe: probe(0.1, 0.5) })],
    ['by free slots', candidate('good', { probe: probe(0) }), candidate('bad', { freeSlots: 1, probe: probe(0) })],
    ['with what was started since counted where only pressure is known', candidate('good', { probe: probe(0, 0) }), candidate('bad', { startedSince: 2, probe: probe(0, 0) })],
    ['a native one before a faster one that emulates', candidate('good', { probe: probe(0) }), candidate('bad', { speed: 4, emulated: true, probe: probe(0) })],
    ['one that has answered before one that has not', candidate('good', { speed: 0.5, probe: probe(0.8) }), candidate('bad', { speed: 4 })],
    ['by speed among those that have not answered', candidate('good', { speed: 2 }), candidate('bad', {})],
    ['by speed among those that have nothing free', candidate('good', { speed: 2, probe: probe(1, 1) }), candidate('bad', { probe: probe(1, 1) })],
  ])('prefers %s', (_, good, bad) => {
    expect(order(bad, good)).toEqual(['good', 'bad'])
    expect(order(good, bad)).toEqual(['good', 'bad'])
  })

  it('does not count twice what the load shows already', () => {
    const [first, second] = rank(candidate('a', { probe: probe(0.5) }), candidate('b', { startedSince: 2, probe: probe(0.5) }))
    expect(first?.score).toBe(second?.score)
  })

  it('leaves equals to chance', () => {
    const equals = [candidate('a', { probe: probe(0.5) }), candidate('b', { probe: probe(0.5) })]
    const first = (...draws: number[]) => (leastLoadedStrategy.rank(request, equals, { now: 0, random: () => draws.shift() ?? 0 }) as readonly Ranked[])[0]?.candidate.machine.name
    expect([first(0.1, 0.9), first(0.9, 0.1)]).toEqual(['a', 'b'])
  })

  it('never prefers a machine for being busier, fuller or slower', () => {
    const figures = fc.record({ speed: fc.double({ min: 0.1, max: 10, noNaN: true }), load: fc.double({ min: 0, max: 1, noNaN: true }), freeSlots: fc.integer({ min: 1, max: 4 }), pressure: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }) })
    const made = ({ speed, load, freeSlots, pressure }: { speed: number; load: number; freeSlots: number; pressure: number | undefined }) => candidate('x', { speed, freeSlots, probe: probe(load, pressure) })
    const score = (one: Candidate) => rank(one)[0]?.score ?? NaN
    fc.assert(
      fc.property(figures, fc.double({ min: 0, max: 1, noNaN: true }), (one, less) => {
        expect(score(made({ ...one, speed: one.speed * less }))).toBeLessThanOrEqual(score(made(one)))
        expect(score(made({ ...one, freeSlots: Math.max(1, one.freeSlots - 1) }))).toBeLessThanOrEqual(score(made(one)))
        const busier = one.pressure === undefined ? { ...one, load: one.load + (1 - one.load) * less } : { ...one, pressure: one.pressure + (1 - one.pressure) * less }
        expect(score(made(busier))).toBeLessThanOrEqual(score(made(one)))
      }),
    )
  })

  it.each<[Candidate, string]>([
    [candidate('a', { speed: 2, probe: probe(0.31) }), 'speed 2, load 0.31, 4 of 4 slots free'],
    [candidate('a', { freeSlots: 1, startedSince: 2, probe: probe(0.5, 0.125) }), 'speed 1, pressure 0.13 and 2 started since, 1 of 4 slots free'],
    [candidate('a', { emulated: true }), 'speed 1 (emulated), no answer yet, 4 of 4 slots free'],
  ])('says why: %#', (one, reason) => {
    expect(rank(one)[0]?.reason).toBe(reason)
  })

  it('can be told other weights', () => {
    const strategy = leastLoaded({ floor: 0.05, processors: 0, slots: 0, emulation: 1, unanswered: 1 })
    const ranking = strategy.rank(request, [candidate('a', { probe: probe(1) }), candidate('b', { speed: 2, freeSlots: 1, emulated: true })], { now: 0, random: () => 0 }) as readonly Ranked[]
    expect(ranking.map(({ score }) => score)).toEqual([2, 1])
  })

  it('registers itself by name', async () => {
    expect(await registered(contribute)).toEqual({ 'least-loaded': leastLoadedStrategy })
  })
})
