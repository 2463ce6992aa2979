/** One machine of the simulation: what it is, what runs on it, what it has, and what is believed of it. */
import type { BuildMachine, Candidate, Probe } from '../../../src/plugin-api/index.js'
import type { Events } from './events.js'
import type { SimulatedMachine } from './farm.js'
import { Processors } from './processors.js'
import { type Random, seededBy } from './random.js'

/** Probes are shared between decisions for so long. */
const probeSeconds = 10
/** Health memory: put aside for that long, doubling. */
const restSeconds = { first: 15, most: 600 }

export class SimulatedHost {
  readonly described: BuildMachine
  readonly processors: Processors
  /** Items that are really there, and those believed to be. */
  readonly store = new Set<number>()
  readonly believed = new Set<number>()
  /** Ends of what runs here; called when the machine fails. */
  readonly running = new Set<() => void>()
  up = true
  silent = false
  restsUntil = 0
  bytesPerSecond: number | undefined
  probe: Probe | undefined
  startedSince = 0
  slotsTaken = 0
  #failures = 0
  readonly #random: Random

  constructor(
    readonly machine: SimulatedMachine,
    readonly events: Events,
    seed: number,
  ) {
    const { name, cores, speed, emulation, slots } = machine
    this.#random = seededBy(`${name}'s store`, seed)
    this.processors = new Processors(events, cores, speed / emulation)
    this.described = {
      name, port: 22, systems: ['x86_64-linux'], user: 'root', hostKey: '', daemonSocket: '', overloadThreshold: 0.8, parallelBuilds: slots, speed, features: [], source: 'simulation',
    }
    for (const { from, to, threads } of machine.foreign) {
      events.after(from, () => this.processors.setForeign(threads))
      events.after(to, () => this.processors.setForeign(0))
    }
    for (const { from, to, silent } of machine.outages) {
      events.after(from, () => this.#fail(silent))
      events.after(to, () => {
        this.up = true
      })
    }
    for (const time of machine.collections) events.after(time, () => this.#collect())
  }

  get freeSlots(): number {
    return this.machine.slots - this.slotsTaken
  }

  get hasFreshProbe(): boolean {
    return this.probe !== undefined && this.events.now * 1000 - this.probe.at < probeSeconds * 1000
  }

  ask(): Probe {
    this.processors.look()
    const { load, pressure } = this.processors
    const { cores, tellsPressure } = this.machine
    this.probe = { at: this.events.now * 1000, load, cores, normalizedLoad: Math.min(1, load / cores), freeBytes: 2 ** 40, ...(tellsPressure ? { pressure } : {}) }
    this.startedSince = 0
    return this.probe
  }

  candidate(): Candidate {
    const { described: machine, freeSlots, startedSince, bytesPerSecond } = this
    const probe = this.hasFreshProbe ? this.#believedProbe() : undefined
    const emulated = this.machine.emulation > 1 ? true : undefined
    return { machine, freeSlots, probe, startedSince: probe === undefined ? undefined : startedSince, bytesPerSecond, emulated, roundTripMs: this.machine.roundTripMs }
  }

  /** One more for each build started since, as the program does it. */
  #believedProbe(): Probe | undefined {
    if (this.probe === undefined) return undefined
    const load = this.probe.load + this.startedSince
    return { ...this.probe, load, normalizedLoad: Math.min(1, load / this.probe.cores) }
  }

  rest(): void {
    this.probe = undefined
    this.restsUntil = this.events.now + Math.min(restSeconds.most, restSeconds.first * 2 ** this.#failures)
    this.#failures += 1
  }

  recovered(): void {
    this.#failures = 0
  }

  #fail(silent: boolean): void {
    this.up = false
    this.silent = silent
    for (const end of [...this.running]) end()
  }

  /** Half of what is there goes, but nothing that a build is using. */
  #collect(): void {
    if (this.slotsTaken > 0) return
    for (const item of [...this.store]) if (this.#random() < 0.5) this.store.delete(item)
  }
}
