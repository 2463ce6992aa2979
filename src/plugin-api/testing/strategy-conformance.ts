/**
 * What every scheduling strategy must do, whatever it prefers. One suite in one file, since it is read as a list of what a strategy promises.
 */
import { describe, expect, it } from 'vitest'
import type { BuildMachine, BuildRequest, Candidate, Probe, RankContext, Ranked, SchedulingStrategy } from '../index.js'

const request: BuildRequest = { derivation: '/gnu/store/8ywccyr4c5hc6jhzq5y84kfqyc9a1v3y-hello-2.12.2.drv', system: 'x86_64-linux', features: [], wantsLocal: false }
const now = Date.UTC(2026, 0, 1)
const mebibyte = 2 ** 20

/** Of many candidates: guix-daemon waits for the decision, of which this must be a small part. Generous, for machines that do other things besides. */
const manyCandidates = 500
const manyMilliseconds = 500

/**
 * Registers the suite with vitest; call it at the top of a test file. It takes well under a second.
 * @param name as it stands in the report, and as the strategy must be called
 * @param makeStrategy called once for each test
 */
export function strategyConformance(name: string, makeStrategy: () => SchedulingStrategy | Promise<SchedulingStrategy>): void {
  describe(`strategy ${name}`, () => {
    const rank = async (candidates: readonly Candidate[], { strategy, ...context }: { strategy?: SchedulingStrategy } & Partial<RankContext> = {}): Promise<readonly Ranked[]> =>
      (strategy ?? (await makeStrategy())).rank(request, candidates, { now, random: draws(1), ...context })

    it('bears its name', async () => {
      expect((await makeStrategy()).name).toBe(name)
    })

    it('asks for what there is', async () => {
      const { needs = {} } = await makeStrategy()
      expect(Object.keys(needs).filter((key) => !['probes', 'inputs'].includes(key))).toEqual([])
      expect(['all', undefined]).toContain(needs.probes)
      expect(['boolean', 'undefined']).toContain(typeof needs.inputs)
    })

    it.each(Object.entries(circumstances))('returns each of the candidates given, or leaves it out, but none twice: %s', async (_, make) => {
      for (const count of [0, 1, 2, 7, 40]) {
        const candidates = make(count, draws(count))
        const ranking = await rank(candidates)
        for (const { candidate } of ranking) expect(candidates).toContain(candidate)
        expect(new Set(ranking.map(({ candidate }) => candidate)).size).toBe(ranking.length)
      }
    })

    it.each(Object.entries(circumstances))('says why, with a score that falls from the best to the last: %s', async (_, make) => {
      const ranking = await rank(make(20, draws(3)))
      for (const { score, reason } of ranking) {
        expect(score).not.toBeNaN()
        expect(reason).toMatch(/^\S(.*\S)?$/)
        // It is printed after the machine's name, in a line of its own.
        expect(reason.length).toBeLessThanOrEqual(200)
      }
      expect(ranking.map(({ score }) => score)).toEqual(ranking.map(({ score }) => score).sort((a, b) => b - a))
    })

    it.each(Object.entries(circumstances))('uses a single candidate: %s', async (_, make) => {
      const candidates = make(1, draws(4))
      expect((await rank(candidates)).map(({ candidate }) => candidate)).toEqual(candidates)
    })

    it('ranks nobody if there is nobody', async () => {
      expect(await rank([])).toEqual([])
    })

    it('decides the same when asked the same, with equal chance', async () => {
      const strategy = await makeStrategy()
      for (const make of Object.values(circumstances)) {
        const candidates = make(30, draws(5))
        const first = await rank(candidates, { random: draws(6) })
        expect(await rank(candidates, { random: draws(6) })).toEqual(first)
        // And so does one that has ranked before: it keeps nothing of it.
        expect(await rank(candidates, { strategy, random: draws(6) })).toEqual(first)
        expect(await rank(candidates, { strategy, random: draws(6) })).toEqual(first)
      }
    })

    it('leaves what it is given as it is', async () => {
      for (const make of Object.values(circumstances)) {
        const candidates = make(10, draws(7))
        const before = structuredClone(candidates)
        await rank(deepFreeze(candidates))
        expect(candidates).toEqual(before)
      }
    })

    it('has no clock and no chance of its own', async () => {
      const strategy = await makeStrategy()
      const candidates = circumstances['everything known'](30, draws(8))
      const real = { random: Math.random, now: Date.now }
      const used: string[] = []
      Math.random = () => {
        used.push('Math.random')
        return real.random()
      }
      Date.now = () => {
        used.push('Date.now')
        return real.now()
      }
      try {
        // What is returned is a promise or not; what runs before it is, is what could look.
        await strategy.rank(request, candidates, { now, random: draws(9) })
      } finally {
        Math.random = real.random
        Date.now = real.now
      }
      expect(used).toEqual([])
    })

    it.each([0, 1 - 2 ** -53])('bears chance at its bounds: %d', async (chance) => {
      const candidates = circumstances['everything known'](10, draws(10))
      const ranking = await rank(candidates, { random: () => chance })
      expect(new Set(ranking.map(({ candidate }) => candidate)).size).toBe(ranking.length)
    })

    it(`ranks ${manyCandidates} candidates in well under a second`, async () => {
      const strategy = await makeStrategy()
      const candidates = circumstances['everything known'](manyCandidates, draws(12))
      const started = performance.now()
      const ranking = await strategy.rank(request, candidates, { now, random: draws(13) })
      expect(performance.now() - started).toBeLessThan(manyMilliseconds)
      expect(new Set(ranking.map(({ candidate }) => candidate)).size).toBe(ranking.length)
    })
  })
}

type Circumstance = (count: number, random: () => number) => Candidate[]

const circumstances = {
  'nothing known': (count, random) => several(count, (index) => ({ machine: machine(index, random), freeSlots: 1 })),
  'everything known': (count, random) => several(count, (index) => everything(index, random)),
  'some have not answered': (count, random) =>
    several(count, (index) => (random() < 0.5 ? everything(index, random) : { machine: machine(index, random), freeSlots: 1 })),
  'no pressure, no sizes': (count, random) =>
    several(count, (index) => {
      const { presentBytes: _present, missingBytes: _missing, probe, ...rest } = everything(index, random)
      return { ...rest, probe: probe === undefined ? undefined : { ...probe, pressure: undefined } }
    }),
  'all alike': (count) => several(count, (index) => ({ ...everything(0, () => 0.5), machine: { ...machine(0, () => 0.5), name: `m${index}` } })),
  'figures at their bounds': (count, random) =>
    several(count, (index) => {
      const pick = (...values: number[]): number => values[Math.floor(random() * values.length)] ?? 0
      const overloaded: Probe = { at: now, load: 1e6, cores: 1, normalizedLoad: 1, freeBytes: 0, pressure: pick(0, 1) }
      return {
        machine: { ...machine(index, random), speed: pick(1e-9, 1, 1e9) }, freeSlots: 1, probe: overloaded, startedSince: pick(0, 1000), emulated: true,
        presentBytes: pick(0, Number.MAX_SAFE_INTEGER), missingBytes: pick(0, 2 ** 50), bytesPerSecond: pick(0, 1e12), roundTripMs: pick(0, 1e5),
      }
    }),
} satisfies Record<string, Circumstance>

function several<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

function machine(index: number, random: () => number): BuildMachine {
  return {
    name: `m${index}`,
    port: 22,
    systems: ['x86_64-linux'],
    user: 'root',
    hostKey: 'ssh-ed25519 AAAA',
    daemonSocket: '/var/guix/daemon-socket/socket',
    overloadThreshold: 0.8,
    parallelBuilds: 1 + Math.floor(random() * 8),
    speed: [0.5, 1, 1, 2, 4][Math.floor(random() * 5)] ?? 1,
    features: [],
    source: 'test',
  }
}

function everything(index: number, random: () => number): Candidate {
  const described = machine(index, random)
  const cores = 2 ** Math.floor(random() * 6)
  const load = random() * 2 * cores
  return {
    machine: described,
    freeSlots: 1 + Math.floor(random() * described.parallelBuilds),
    probe: { at: now - Math.floor(random() * 10_000), load, cores, normalizedLoad: Math.min(1, load / cores), freeBytes: Math.floor(random() * 2 ** 40), pressure: random(), architecture: 'x86_64' },
    startedSince: Math.floor(random() * 2),
    presentBytes: Math.floor(random() * 500 * mebibyte),
    missingBytes: Math.floor(random() * 500 * mebibyte),
    bytesPerSecond: Math.floor(random() * 100 * mebibyte) + 1,
    roundTripMs: random() * 100,
  }
}

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
function draws(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) deepFreeze(part)
  return Object.freeze(value)
}
