/** Machines to build on: speeds, links, other people's work and failures, all drawn from a seed. */
import { between, exponential, pick, type Random, seededBy } from './random.js'

export interface Span {
  readonly from: number
  readonly to: number
}

/** Times in seconds from the start, sizes in bytes. */
export interface SimulatedMachine {
  readonly name: string
  readonly speed: number
  readonly cores: number
  readonly slots: number
  readonly bytesPerSecond: number
  readonly roundTripMs: number
  /** Its kernel tells pressure. */
  readonly tellsPressure: boolean
  /** It lists the system, but runs it in an emulator: so many times slower than its speed says; 1 if not. */
  readonly emulation: number
  /** Processors that others keep busy. */
  readonly foreign: readonly (Span & { readonly threads: number })[]
  /** When it is away; `silent`: packets are lost, instead of refused. */
  readonly outages: readonly (Span & { readonly silent: boolean })[]
  /** When it collects garbage. */
  readonly collections: readonly number[]
}

export interface FarmTraits {
  /** Mean time between failures of one machine, seconds; undefined: none fails. */
  readonly failEvery?: number
  /** Share of machines that others use as well. */
  readonly shared?: number
  /** Share of machines that emulate. */
  readonly emulating?: number
}

const horizon = 7 * 24 * 3600
const megabyte = 1e6

export function makeFarm(count: number, seed: number, { failEvery, shared = 0.25, emulating = 0 }: FarmTraits = {}): SimulatedMachine[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `m${index}`
    const random = seededBy(name, seed)
    const cores = pick(random, [4, 8, 8, 16, 32])
    const link = random()
    const near = link < 0.6
    return {
      name,
      speed: pick(random, [0.5, 1, 1, 1, 1.5, 2, 3]),
      cores,
      slots: Math.max(1, Math.round(cores / 4)),
      bytesPerSecond: near ? 110 * megabyte : link < 0.85 ? 12 * megabyte : 2 * megabyte,
      roundTripMs: near ? between(random, 0.3, 2) : between(random, 10, 60),
      tellsPressure: random() < 0.7,
      emulation: random() < emulating ? 8 : 1,
      foreign: random() < shared ? spans(random, 3600, 1800).map((span) => ({ ...span, threads: Math.ceil(between(random, 0.3, 1.5) * cores) })) : [],
      outages: failEvery === undefined ? [] : spans(random, failEvery, 1200).map((span) => ({ ...span, silent: random() < 0.5 })),
      collections: spans(random, 12 * 3600, 1).map(({ from }) => from),
    }
  })
}

/** Spans that come by chance, `every` apart and `lasting` long on average. */
function spans(random: Random, every: number, lasting: number): Span[] {
  const result: Span[] = []
  for (let time = exponential(random, every); time < horizon;) {
    const to = time + Math.max(1, exponential(random, lasting))
    result.push({ from: time, to })
    time = to + exponential(random, every)
  }
  return result
}
