import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import contribute from '../../../plugins/scheduler-locality/src/contribute.js'
import { localityStrategy } from '../../../plugins/scheduler-locality/src/locality-strategy.js'
import type { BuildRequest, Candidate, Probe, Ranked } from '../../../src/plugin-api/index.js'
import { registered } from '../../support/registered.js'
import { machine } from '../machines/machine-fixture.js'

const request: BuildRequest = { derivation: '/gnu/store/x.drv', system: 'x86_64-linux', features: [], wantsLocal: false }
const mebibyte = 2 ** 20
const probe = (normalizedLoad: number, pressure?: number): Probe => ({ at: 0, load: normalizedLoad * 4, cores: 4, normalizedLoad, freeBytes: 2 ** 40, pressure })
/** Idle, on a link of 10 MiB/s, with nothing of 100 MiB, unless said otherwise. */
const candidate = (name: string, { speed = 1, ...rest }: Partial<Candidate> & { speed?: number } = {}): Candidate => ({
  machine: machine(name, { speed, parallelBuilds: 4 }), freeSlots: 4, probe: probe(0), presentBytes: 0, missingBytes: 100 * mebibyte, bytesPerSecond: 10 * mebibyte, ...rest,
})
const rank = (candidates: readonly Candidate[], expectedSeconds?: number) => localityStrategy.rank(request, candidates, { now: 0, random: () => 0.5, expectedSeconds }) as readonly Ranked[]
const all = { presentBytes: 100 * mebibyte, missingBytes: 0 }

describe('the locality strategy', () => {
  it('wants to know loads and inputs', () => {
    expect(localityStrategy.needs).toEqual({ probes: 'all', inputs: true })
  })

  it.each<[string, Candidate, Candidate, number?]>([
    ['the one of equals that has more', candidate('good', all), candidate('bad')],
    ['the one that has it all, though the other is faster', candidate('good', all), candidate('bad', { speed: 1.5 }), 10],
    ['the faster one, though it has nothing, if the build is long', candidate('good', { speed: 1.5 }), candidate('bad', all), 3600],
    ['the better link, if both have nothing', candidate('good', { bytesPerSecond: 100 * mebibyte }), candidate('bad')],
    ['the slower link, if nothing has to go over it', candidate('good', { ...all, bytesPerSecond: mebibyte }), candidate('bad', { bytesPerSecond: 100 * mebibyte })],
    ['the idle one, though it has less, if the other has nothing free', candidate('good', { missingBytes: 20 * mebibyte }), candidate('bad', { ...all, probe: probe(0.95) }), 60],
    ['the near one of equals', candidate('good', { ...all, roundTripMs: 1 }), candidate('bad', { ...all, roundTripMs: 200 })],
    ['a native one before one that emulates and has it all', candidate('good'), candidate('bad', { ...all, emulated: true }), 60],
    ['one that has answered before one that has not', candidate('good', { speed: 0.5 }), candidate('bad', { ...all, speed: 4, probe: undefined })],
  ])('prefers %s', (_, good, bad, seconds) => {
    for (const given of [[good, bad], [bad, good]]) {
      expect(rank(given, seconds).map(({ candidate: { machine: { name } } }) => name)).toEqual(['good', 'bad'])
    }
  })

  it('takes a link that was never measured for a usual one, of which a slow one is part', () => {
    const [slow, unknown, fast] = [candidate('slow', { bytesPerSecond: mebibyte }), candidate('unknown', { bytesPerSecond: undefined }), candidate('fast', { bytesPerSecond: 100 * mebibyte })]
    const names = (...given: Candidate[]) => rank(given, 10).map(({ candidate: { machine: { name } } }) => name)
    expect(names(unknown, slow, fast, candidate('middle'))).toEqual(['fast', 'middle', 'unknown', 'slow'])
    expect(names(candidate('middle'), unknown, fast)).toEqual(['fast', 'unknown', 'middle'])
  })

  it('does not send a burst of builds over a link of which nothing is known', () => {
    const [untried, tried] = [candidate('untried', { bytesPerSecond: undefined }), candidate('trying', { bytesPerSecond: undefined, freeSlots: 3 })]
    const seconds = (one: Candidate) => 1 / (rank([one, candidate('known')], 0).find(({ candidate: { machine } }) => machine.name === one.machine.name)?.score ?? 0)
    expect(seconds(tried) / seconds(untried)).toBeCloseTo(2, 1)
  })

  it('goes by speed and load where sizes are not known', () => {
    const unknown = { presentBytes: undefined, missingBytes: undefined }
    expect(rank([candidate('a', unknown), candidate('b', { ...unknown, speed: 2 })])[0]?.candidate.machine.name).toBe('b')
  })

  it('never prefers a machine for lacking more, or for a worse link', () => {
    const bytes = fc.nat(2 ** 30)
    const score = (missingBytes: number, bytesPerSecond: number) => rank([candidate('x', { missingBytes, bytesPerSecond })])[0]?.score ?? NaN
    fc.assert(
      fc.property(bytes, bytes, fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 1, max: 2 ** 30 }), (a, b, c, d) => {
        expect(score(Math.max(a, b), c)).toBeLessThanOrEqual(score(Math.min(a, b), c))
        expect(score(a, Math.min(c, d))).toBeLessThanOrEqual(score(a, Math.max(c, d)))
      }),
    )
  })

  it.each<[Candidate, string]>([
    [candidate('a', { speed: 2, presentBytes: 1.2 * 2 ** 30, missingBytes: 0.1 * 2 ** 30, probe: probe(0.31) }), '1.2 GiB of 1.3 GiB inputs there, speed 2, load 0.31'],
    [candidate('a', { presentBytes: 0, missingBytes: 900, startedSince: 1, probe: probe(0.5, 0.25) }), '0 bytes of 900 bytes inputs there, speed 1, pressure 0.25 and 1 started since'],
    [candidate('a', { presentBytes: undefined, missingBytes: undefined, probe: undefined, emulated: true }), 'speed 1 (emulated), no answer yet'],
  ])('says why: %#', (one, reason) => {
    expect(rank([one])[0]?.reason).toBe(reason)
  })

  it('registers itself by name', async () => {
    expect(await registered(contribute)).toEqual({ locality: localityStrategy })
  })
})
