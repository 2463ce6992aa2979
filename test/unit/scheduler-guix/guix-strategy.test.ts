import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import contribute from '../../../plugins/scheduler-guix/src/contribute.js'
import { guixStrategy } from '../../../plugins/scheduler-guix/src/guix-strategy.js'
import { shuffled } from '../../../plugins/scheduler-guix/src/shuffled.js'
import type { BuildRequest, Candidate, Factory, PluginHost, Registrar, SchedulingStrategy } from '../../../src/plugin-api/index.js'
import { machine } from '../machines/machine-fixture.js'

const request: BuildRequest = { derivation: '/gnu/store/x.drv', system: 'x86_64-linux', features: [], wantsLocal: false }
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
/** As a function, what a strategy takes. */
const draws = (stream: Iterator<number>) => () => {
  const next = stream.next()
  return next.done === true ? 0 : next.value
}
const rank = (candidates: readonly Candidate[], next: () => number) => guixStrategy.rank(request, candidates, { now: 0, random: next }) as Awaited<ReturnType<typeof guixStrategy.rank>>
const candidates = (speeds: readonly number[]): Candidate[] => speeds.map((speed, index) => ({ machine: machine(`m${index}`, { speed }), freeSlots: 1 }))

describe('the guix strategy', () => {
  it('ranks every candidate once, faster ones first', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0.5, 1, 1.5, 4)), fc.infiniteStream(random), (speeds, stream) => {
        const given = candidates(speeds)
        const ranking = rank(given, draws(stream))
        expect(new Set(ranking.map(({ candidate }) => candidate))).toEqual(new Set(given))
        expect(ranking).toHaveLength(given.length)
        expect(ranking.map(({ score }) => score)).toEqual([...speeds].sort((a, b) => b - a))
      }),
    )
  })

  it('leaves equals to chance: each comes first equally often', () => {
    const given = candidates([1, 1, 1])
    const first = new Map<string, number>()
    // Every possible outcome of the two draws that order three candidates, once.
    for (const a of [0, 1 / 3, 2 / 3]) {
      for (const b of [0, 1 / 2]) {
        const draws = [a, b]
        const name = rank(given, () => draws.shift() ?? 0)[0]?.candidate.machine.name ?? ''
        first.set(name, (first.get(name) ?? 0) + 1)
      }
    }
    expect(Object.fromEntries(first)).toEqual({ m0: 2, m1: 2, m2: 2 })
  })

  it('says why', () => {
    expect(rank(candidates([2]), () => 0)[0]?.reason).toBe('speed 2')
  })

  it('registers itself by name', async () => {
    const taken: Record<string, Factory<SchedulingStrategy>> = {}
    const registrar: Registrar = {
      apiVersion: '1.0.0',
      transport: () => expect.unreachable(),
      machineSource: () => expect.unreachable(),
      schedulingStrategy: (name, factory) => {
        taken[name] = factory
      },
    }
    await contribute({ registrar })
    expect(await taken.guix?.({} as PluginHost)).toBe(guixStrategy)
  })
})

describe('shuffled', () => {
  it('reaches every order', () => {
    const orders = new Set<string>()
    for (const a of [0, 0.3, 0.5, 0.9]) {
      for (const b of [0, 0.4, 0.9]) {
        for (const c of [0, 0.9]) {
          const draws = [a, b, c]
          orders.add(shuffled(['a', 'b', 'c', 'd'], () => draws.shift() ?? 0).join(''))
        }
      }
    }
    expect(orders.size).toBe(24)
  })

  it('keeps all items and leaves the original alone', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.infiniteStream(random), (items, stream) => {
        const copy = [...items]
        expect(shuffled(items, draws(stream)).sort()).toEqual([...items].sort())
        expect(items).toEqual(copy)
      }),
    )
  })
})
