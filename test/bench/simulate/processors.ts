/** The processors of one machine, shared by the builds that run there and by what others do; and the figures that its kernel keeps of them. */
import type { Events } from './events.js'

interface Job {
  /** Seconds of one processor of speed 1. */
  left: number
  readonly threads: number
  readonly done: () => void
}

export class Processors {
  /** 1-minute load average, and the share of time in which some task waited, over 10 s. */
  load = 0
  pressure = 0
  #foreign = 0
  #since = 0
  #plan = 0
  readonly #jobs = new Set<Job>()

  constructor(
    readonly events: Events,
    readonly cores: number,
    readonly speed: number,
  ) {}

  /** @returns what ends it early */
  run(coreSeconds: number, threads: number, done: () => void): () => void {
    this.look()
    const job: Job = { left: coreSeconds, threads, done }
    this.#jobs.add(job)
    this.#replan()
    return () => {
      this.look()
      this.#jobs.delete(job)
      this.#replan()
    }
  }

  /** Others' work. */
  setForeign(threads: number): void {
    this.look()
    this.#foreign = threads
    this.#replan()
  }

  get threads(): number {
    let sum = this.#foreign
    for (const { threads } of this.#jobs) sum += threads
    return sum
  }

  /** Brings the figures up to the present. */
  look(): void {
    const { now } = this.events
    const seconds = now - this.#since
    this.#since = now
    if (seconds <= 0) return
    const { threads } = this
    const waiting = Math.min(1, Math.max(0, (threads / this.cores - 0.8) / 0.4))
    this.load = threads + (this.load - threads) * Math.exp(-seconds / 60)
    this.pressure = waiting + (this.pressure - waiting) * Math.exp(-seconds / 10)
    for (const job of this.#jobs) job.left -= this.#rate(job, threads) * seconds
  }

  #rate(job: Job, threads: number): number {
    return job.threads * Math.min(1, this.cores / threads) * this.speed
  }

  #replan(): void {
    this.#plan += 1
    const plan = this.#plan
    const { threads } = this
    const next = Math.min(...[...this.#jobs].map((job) => Math.max(0, job.left) / this.#rate(job, threads)))
    if (next === Infinity) return
    this.events.after(next, () => {
      if (plan !== this.#plan) return
      this.look()
      const done = [...this.#jobs].filter(({ left }) => left <= 1e-6)
      for (const job of done) this.#jobs.delete(job)
      this.#replan()
      for (const job of done) job.done()
    })
  }
}
