import { makeFarm, type SimulatedMachine } from './farm.js'
import { type Graph, guixGraph, syntheticGraph } from './graph.js'

export interface NamedScenario {
  readonly name: string
  readonly graph: (seed: number) => Promise<Graph>
  readonly machines: (seed: number) => SimulatedMachine[]
  /** Of the master's own link. */
  readonly bytesPerSecond: number
}

const gigabit = 110e6
const hour = 3600

export function scenarios(): NamedScenario[] {
  const wide = once(async (seed) => syntheticGraph(1500, seed))
  const real = once(guixGraph)
  return [
    { name: 'synthetic, 3 machines', graph: wide, machines: (seed) => makeFarm(3, seed), bytesPerSecond: gigabit },
    { name: 'synthetic, 10 machines', graph: wide, machines: (seed) => makeFarm(10, seed), bytesPerSecond: gigabit },
    { name: 'synthetic, 10 machines that fail', graph: wide, machines: (seed) => makeFarm(10, seed, { failEvery: 2 * hour }), bytesPerSecond: gigabit },
    { name: 'synthetic, 10 machines, 20 Mbit/s from the master', graph: wide, machines: (seed) => makeFarm(10, seed), bytesPerSecond: 2.2e6 },
    { name: 'synthetic, 50 machines that fail, 1 in 5 emulating', graph: wide, machines: (seed) => makeFarm(50, seed, { failEvery: 4 * hour, emulating: 0.2 }), bytesPerSecond: gigabit },
    { name: 'synthetic, 200 machines that fail', graph: wide, machines: (seed) => makeFarm(200, seed, { failEvery: 4 * hour }), bytesPerSecond: gigabit },
    { name: 'Emacs, 3 machines', graph: real, machines: (seed) => makeFarm(3, seed), bytesPerSecond: gigabit },
    { name: 'Emacs, 10 machines that fail', graph: real, machines: (seed) => makeFarm(10, seed, { failEvery: 2 * hour }), bytesPerSecond: gigabit },
    { name: 'Emacs, 10 machines, 20 Mbit/s from the master', graph: real, machines: (seed) => makeFarm(10, seed), bytesPerSecond: 2.2e6 },
    { name: 'Emacs, 200 machines that fail', graph: real, machines: (seed) => makeFarm(200, seed, { failEvery: 4 * hour }), bytesPerSecond: gigabit },
  ]
}

/** The graph of a seed is made once. */
function once(make: (seed: number) => Promise<Graph>): NamedScenario['graph'] {
  const made = new Map<number, Promise<Graph>>()
  return (seed) => {
    const graph = made.get(seed) ?? make(seed)
    made.set(seed, graph)
    return graph
  }
}
