import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { guixStrategy } from '../../../plugins/scheduler-guix/src/guix-strategy.js'
import { leastLoadedStrategy } from '../../../plugins/scheduler-least-loaded/src/least-loaded-strategy.js'
import { localityStrategy } from '../../../plugins/scheduler-locality/src/locality-strategy.js'
import { Events } from '../../bench/simulate/events.js'
import { makeFarm, type SimulatedMachine } from '../../bench/simulate/farm.js'
import { criticalPath, type Graph, guixGraph, syntheticGraph } from '../../bench/simulate/graph.js'
import { Network } from '../../bench/simulate/network.js'
import { Processors } from '../../bench/simulate/processors.js'
import { type Outcome, simulate, type TraceEvent } from '../../bench/simulate/simulation.js'

const strategies = [guixStrategy, leastLoadedStrategy, localityStrategy]
const failing = { failEvery: 1800, emulating: 0.2 }

async function traced(graph: Graph, machines: readonly SimulatedMachine[], strategy = guixStrategy, seed = 1): Promise<{ outcome: Outcome; events: TraceEvent[] }> {
  const events: TraceEvent[] = []
  const outcome = await simulate({ graph, machines, strategy, seed, trace: (event) => void events.push(event) })
  return { outcome, events }
}

describe('a simulated run', () => {
  it.each(strategies)('of $name builds each derivation once, after what it depends on, and never in more slots than there are', async (strategy) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 1000 }), async (count, seed) => {
        const graph = syntheticGraph(60, seed)
        const machines = makeFarm(count, seed, failing)
        const { outcome, events } = await traced(graph, machines, strategy, seed)
        const built = new Map<number, number>()
        const inUse = new Map<string, number>()
        for (const { time, what, node, machine } of events) {
          const slots = machines.find(({ name }) => name === machine)?.slots ?? 0
          if (what === 'accepted') {
            for (const input of graph.nodes[node]?.inputs ?? []) {
              if (graph.nodes[input]?.fetched === false) expect(built.get(input)).toBeLessThanOrEqual(time)
            }
            expect(built.has(node)).toBe(false)
          }
          const taken = (inUse.get(machine) ?? 0) + (what === 'accepted' ? 1 : -1)
          inUse.set(machine, taken)
          expect(taken).toBeGreaterThanOrEqual(0)
          expect(taken).toBeLessThanOrEqual(slots)
          if (what === 'built') {
            expect(built.has(node)).toBe(false)
            built.set(node, time)
          }
        }
        expect([...built.keys()].sort((a, b) => a - b)).toEqual([...graph.nodes.keys()].filter((node) => graph.nodes[node]?.fetched === false))
        expect(outcome).toMatchObject({ built: built.size, makespan: Math.max(...built.values()), lost: events.filter(({ what }) => what === 'lost').length })
        expect([...inUse.values()].every((taken) => taken === 0)).toBe(true)
      }),
      { numRuns: 12 },
    )
  })

  it.each(strategies)('of $name comes out the same again', async (strategy) => {
    const run = () => traced(syntheticGraph(100, 7), makeFarm(6, 7, failing), strategy, 7)
    expect(await run()).toEqual(await run())
  })

  it('comes out differently for another seed', async () => {
    const run = (seed: number) => traced(syntheticGraph(30, 7), makeFarm(6, 7), guixStrategy, seed)
    expect((await run(1)).events).not.toEqual((await run(2)).events)
  })

  it('takes no less than the longest chain of builds on the fastest machine', async () => {
    const graph = syntheticGraph(80, 3)
    const machines = makeFarm(10, 3)
    const { outcome } = await traced(graph, machines)
    expect(outcome.makespan).toBeGreaterThan(criticalPath(graph, 3, 32))
  })

  it('sends nothing that is there already', async () => {
    const graph = syntheticGraph(80, 3)
    const { outcome } = await traced(graph, makeFarm(1, 3).map((machine) => ({ ...machine, collections: [], outages: [] })))
    // What one machine builds it has: only sources are sent to it, each once.
    const sources = graph.nodes.filter(({ fetched }) => fetched).reduce((sum, { bytes }) => sum + bytes, 0)
    expect(outcome.bytesSent).toBe(sources)
    expect(outcome.bytesFetched).toBe(graph.nodes.filter(({ fetched }) => !fetched).reduce((sum, { bytes }) => sum + bytes, 0))
  })

  it('goes on while machines fail', async () => {
    const { outcome } = await traced(syntheticGraph(100, 5), makeFarm(4, 5, { failEvery: 600 }))
    expect(outcome.lost).toBeGreaterThan(0)
    expect(outcome.built).toBe(100)
  })
})

describe('the graphs', () => {
  it('have everything before what depends on it', async () => {
    for (const { nodes } of [await guixGraph(1), syntheticGraph(200, 1)]) {
      // Looked at in one go: they are half a million.
      const wrong = [...nodes.entries()].filter(([index, { inputs, required }]) => {
        const there = new Set(required)
        return required.some((item) => item < 0 || item >= index) || inputs.some((input) => !there.has(input))
      })
      expect(wrong).toEqual([])
    }
  })

  it('of Guix is Emacs, from its bootstrap seeds', async () => {
    const { nodes } = await guixGraph(1)
    expect(nodes.length).toBe(2151)
    expect(nodes.at(-1)?.name).toBe('emacs-30.2')
    expect(nodes.filter(({ fetched }) => fetched).length).toBe(1219)
  })

  it('cost the same for the same seed', async () => {
    expect(await guixGraph(4)).toEqual(await guixGraph(4))
    expect((await guixGraph(5)).nodes.at(-1)?.coreSeconds).not.toBe((await guixGraph(4)).nodes.at(-1)?.coreSeconds)
  })
})

describe('virtual time', () => {
  it('lets things happen in their order, and in that of their planning at one time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 9 })), async (delays) => {
        const events = new Events()
        const seen: [number, number][] = []
        for (const [index, delay] of delays.entries()) events.after(delay, () => void seen.push([events.now, index]))
        await events.run(() => false)
        expect(seen).toEqual(delays.map((delay, index): [number, number] => [delay, index]).sort(([a, i], [b, j]) => a - b || i - j))
      }),
    )
  })

  it('is shared by builds on the processors of a machine', async () => {
    const events = new Events()
    const processors = new Processors(events, 4, 2)
    const ends: number[] = []
    // Alone: 80 / 2 / 4 s. Beside each other from 5 s on, each gets half.
    processors.run(80, 4, () => void ends.push(events.now))
    events.after(5, () => void processors.run(20, 4, () => void ends.push(events.now)))
    await events.run(() => false)
    expect(ends.map((end) => Math.round(end * 1000) / 1000)).toEqual([10, 12.5])
    processors.look()
    expect(processors.pressure).toBeGreaterThan(0.3)
  })

  it('is shared by transfers on the links', async () => {
    const events = new Events()
    const network = new Network(events, 100)
    const ends: Record<string, number> = {}
    const carry = (name: string, bytesPerSecond: number, bytes: number) => network.carry(bytes, { name, bytesPerSecond }, () => (ends[name] = Math.round(events.now * 100) / 100))
    carry('slow', 10, 100)
    carry('fast', 1000, 100)
    const end = carry('called off', 1000, 1e9)
    events.after(1, end)
    await events.run(() => false)
    // A third of the master's link for a second, then half of it.
    expect(ends).toEqual({ slow: 10, fast: 2.33 })
  })
})
