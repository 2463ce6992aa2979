/**
 * What becomes of a graph of derivations on a farm under one strategy, in virtual time. The strategy is the real one; the rest of the program is modelled: one decision at a time, probes
 * shared for 10 s, load limits, machines set aside after failures, failover to up to three machines, the record of what machines are believed to have, and guix-daemon, which asks again
 * when a build has ended or 5 s have passed. Everything that is chance comes from the seed.
 */
import type { BuildRequest, RankContext, Ranked, SchedulingStrategy } from '../../../src/plugin-api/index.js'
import { Events } from './events.js'
import type { SimulatedMachine } from './farm.js'
import type { Graph, Node } from './graph.js'
import { Network } from './network.js'
import { seededBy } from './random.js'
import { SimulatedHost } from './simulated-host.js'

export interface Scenario {
  readonly graph: Graph
  readonly machines: readonly SimulatedMachine[]
  readonly strategy: SchedulingStrategy
  readonly seed: number
  /** Of the master's own link. */
  readonly bytesPerSecond?: number
  /** Sees every build start, end or be lost. */
  readonly trace?: (event: TraceEvent) => void
}

export interface TraceEvent {
  readonly time: number
  readonly what: 'accepted' | 'built' | 'lost'
  readonly node: number
  readonly machine: string
}

/** Seconds and bytes. */
export interface Outcome {
  /** Until the last derivation is in the master's store. */
  readonly makespan: number
  readonly bytesSent: number
  readonly bytesFetched: number
  /** From ready to accepted: mean, and what one in twenty exceeds. */
  readonly waiting: { readonly mean: number; readonly worst: number }
  /** From ready to built: mean. What all but the last build feel, and less a matter of luck than the makespan. */
  readonly turnaround: number
  /** guix-daemon waited that long for answers: mean of all that ended in an accept. */
  readonly deciding: number
  /** Builds that a machine took down with it. */
  readonly lost: number
  /** Builds that three machines had in vain. */
  readonly givenUp: number
  readonly built: number
}

interface Task {
  readonly node: number
  /** For the first time, and since when it waits now. */
  readonly born: number
  readonly ready: number
  readonly tried: Set<string>
}

/** Times of the real program, measured on a LAN: an SSH connection takes some round trips and 0.1 s of computing. */
const connectSeconds = 0.1
const connectRoundTrips = 6
/** Of a machine in the running that does not answer, before the next one starts (`headStartMs`), or before those that have are ranked. */
const patienceSeconds = 0.5
/** A link lost without a word: keep-alive × misses. */
const noticeSeconds = { silent: 60, refused: 1 }
const askAgainSeconds = 5
const maximumMachines = 3
/** Round trips of an offload besides its transfers. */
const offloadRoundTrips = 20

export async function simulate(scenario: Scenario): Promise<Outcome> {
  return new Simulation(scenario).run()
}

class Simulation {
  readonly #events = new Events()
  readonly #network: Network
  readonly #hosts: readonly SimulatedHost[]
  readonly #byName: ReadonlyMap<string, SimulatedHost>
  readonly #nodes: readonly Node[]
  readonly #paths: readonly string[]
  readonly #waitingFor: number[]
  readonly #dependents: number[][]
  readonly #queue: Task[] = []
  readonly #random
  readonly #waits: number[] = []
  readonly #buildSeconds: number[] = []
  #deciding = false
  #decideAgain = false
  #asksAgain = false
  #left = 0
  #makespan = 0
  #turnarounds = 0
  #bytesSent = 0
  #bytesFetched = 0
  #decidingSeconds = 0
  #lost = 0
  #givenUp = 0

  constructor(readonly scenario: Scenario) {
    const { graph, machines, seed, bytesPerSecond = 110e6 } = scenario
    this.#nodes = graph.nodes
    this.#network = new Network(this.#events, bytesPerSecond)
    this.#hosts = machines.map((machine) => new SimulatedHost(machine, this.#events, seed))
    this.#byName = new Map(this.#hosts.map((host) => [host.machine.name, host]))
    this.#paths = graph.nodes.map(({ name }, index) => `/gnu/store/${index.toString(32).padStart(8, '0')}-${name}`)
    this.#random = seededBy('the hook', seed)
    this.#dependents = graph.nodes.map(() => [])
    this.#waitingFor = graph.nodes.map(({ inputs }, index) => {
      const built = inputs.filter((input) => graph.nodes[input]?.fetched === false)
      for (const input of built) this.#dependents[input]?.push(index)
      return built.length
    })
  }

  async run(): Promise<Outcome> {
    for (const [index, { fetched }] of this.#nodes.entries()) {
      if (fetched) continue
      this.#left += 1
      if (this.#waitingFor[index] === 0) this.#enqueue(index)
    }
    const built = this.#left
    this.#events.after(0, () => this.#decide())
    await this.#events.run(() => this.#left === 0)
    if (this.#left > 0) throw new Error(`${this.#left} derivations are left, and nothing happens any more`)
    const sorted = [...this.#waits].sort((a, b) => a - b)
    return {
      makespan: this.#makespan,
      bytesSent: this.#bytesSent,
      bytesFetched: this.#bytesFetched,
      waiting: { mean: sum(sorted) / Math.max(1, sorted.length), worst: sorted[Math.floor(sorted.length * 0.95)] ?? 0 },
      turnaround: this.#turnarounds / Math.max(1, built),
      deciding: this.#decidingSeconds / Math.max(1, this.#waits.length),
      lost: this.#lost,
      givenUp: this.#givenUp,
      built,
    }
  }

  #enqueue(node: number): void {
    this.#queue.push({ node, born: this.#events.now, ready: this.#events.now, tried: new Set() })
  }

  /** guix-daemon asks for the first in the queue. If it is turned away so would be the others: all want the same. */
  async #decide(): Promise<void> {
    if (this.#deciding) {
      this.#decideAgain = true
      return
    }
    const task = this.#queue[0]
    if (task === undefined) return
    this.#deciding = true
    const { seconds, host } = await this.#choose(task)
    if (host !== undefined) {
      this.#queue.shift()
      host.slotsTaken += 1
      host.startedSince += 1
    }
    this.#events.after(seconds, async () => {
      this.#deciding = false
      if (host !== undefined) {
        this.#decidingSeconds += seconds
        this.#offload(task, host)
      }
      const again = this.#decideAgain || host !== undefined
      this.#decideAgain = false
      if (again) await this.#decide()
      else this.#askAgain()
    })
  }

  #askAgain(): void {
    if (this.#asksAgain) return
    this.#asksAgain = true
    this.#events.after(askAgainSeconds, async () => {
      this.#asksAgain = false
      await this.#decide()
    })
  }

  async #choose({ node, tried }: Task): Promise<{ seconds: number; host: SimulatedHost | undefined }> {
    const { strategy } = this.scenario
    const hosts = this.#hosts.filter((host) => host.freeSlots > 0 && host.restsUntil <= this.#events.now && !tried.has(host.machine.name) && !isOverloaded(host))
    let seconds = 0
    const connected = new Set<SimulatedHost>()
    const reach = (host: SimulatedHost): number => {
      connected.add(host)
      return connectSeconds + (connectRoundTrips * host.machine.roundTripMs) / 1000
    }
    let running = hosts
    if (strategy.needs?.probes === 'all') {
      const unknown = hosts.filter((host) => !host.hasFreshProbe)
      const [answering, dead] = [unknown.filter(({ up }) => up), unknown.filter(({ up }) => !up)]
      const silent = dead.some((host) => host.silent)
      for (const host of dead) host.rest()
      for (const host of answering) host.ask()
      seconds = Math.max(0, ...answering.map(reach)) + (silent ? patienceSeconds : 0)
      running = hosts.filter((host) => !dead.includes(host) && !isOverloaded(host))
    }
    const ranking = running.length === 0 ? [] : await this.#rank(node, running)
    for (const { candidate } of ranking) {
      const host = this.#byName.get(candidate.machine.name)
      if (host === undefined) throw new Error(`${strategy.name} has ranked a machine it was not given`)
      if (!host.up) {
        if (host.silent) seconds += patienceSeconds
        host.rest()
        continue
      }
      if (!connected.has(host)) seconds += reach(host)
      if (!host.hasFreshProbe) host.ask()
      if (!isOverloaded(host)) return { seconds, host }
    }
    return { seconds: Math.max(seconds, 0.05), host: undefined }
  }

  async #rank(node: number, hosts: readonly SimulatedHost[]): Promise<readonly Ranked[]> {
    const { strategy } = this.scenario
    const request: BuildRequest = { derivation: `${this.#paths[node] ?? ''}.drv`, system: 'x86_64-linux', features: [], wantsLocal: false }
    const inputs = strategy.needs?.inputs === true ? (this.#nodes[node]?.inputs ?? []) : undefined
    const candidates = hosts.map((host) => {
      if (inputs === undefined) return host.candidate()
      let [presentBytes, missingBytes] = [0, 0]
      for (const input of inputs) {
        const bytes = this.#nodes[input]?.bytes ?? 0
        if (host.believed.has(input)) presentBytes += bytes
        else missingBytes += bytes
      }
      return { ...host.candidate(), presentBytes, missingBytes }
    })
    const context: RankContext = { now: this.#events.now * 1000, random: this.#random, expectedSeconds: this.#expectedSeconds() }
    return strategy.rank(request, candidates, context)
  }

  /** The mean, as the program takes it from its history: a few long builds weigh more than many short ones. */
  #expectedSeconds(): number | undefined {
    const lately = this.#buildSeconds.slice(-500)
    return lately.length === 0 ? undefined : sum(lately) / lately.length
  }

  #offload(task: Task, host: SimulatedHost): void {
    this.#waits.push(this.#events.now - task.ready)
    this.#trace('accepted', task, host)
    const node = this.#nodes[task.node]
    if (node === undefined) throw new Error('no such derivation')
    host.recovered()
    let cancel = (): void => {}
    const end = (): void => {
      host.running.delete(end)
      cancel()
      this.#events.after(host.silent ? noticeSeconds.silent : noticeSeconds.refused, () => this.#lose(task, host))
    }
    host.running.add(end)
    if (!host.up) return end()
    let over = false
    const overhead = (offloadRoundTrips * host.machine.roundTripMs) / 1000
    cancel = () => (over = true)
    this.#events.after(overhead, () => {
      if (over) return
      cancel = this.#send(node, host, () => {
        const started = this.#events.now
        cancel = host.processors.run(node.coreSeconds, node.threads, () => {
          this.#buildSeconds.push((this.#events.now - started) * host.machine.speed)
          cancel = this.#network.carry(node.bytes, host.machine, () => {
            host.running.delete(end)
            this.#finish(task, host)
          })
        })
      })
    })
  }

  /** What is really missing, whatever was believed; both are right afterwards. */
  #send(node: Node, host: SimulatedHost, done: () => void): () => void {
    const missing = node.required.filter((item) => !host.store.has(item))
    for (const item of missing) host.believed.delete(item)
    const bytes = sum(missing.map((item) => this.#nodes[item]?.bytes ?? 0))
    const started = this.#events.now
    return this.#network.carry(bytes, host.machine, () => {
      const seconds = this.#events.now - started
      if (bytes >= 2 ** 20 && seconds > 0) host.bytesPerSecond = host.bytesPerSecond === undefined ? bytes / seconds : Math.sqrt((host.bytesPerSecond * bytes) / seconds)
      this.#bytesSent += bytes
      for (const item of node.required) {
        host.store.add(item)
        host.believed.add(item)
      }
      done()
    })
  }

  #finish(task: Task, host: SimulatedHost): void {
    host.slotsTaken -= 1
    host.store.add(task.node)
    host.believed.add(task.node)
    this.#bytesFetched += this.#nodes[task.node]?.bytes ?? 0
    this.#trace('built', task, host)
    this.#left -= 1
    this.#makespan = this.#events.now
    this.#turnarounds += this.#events.now - task.born
    for (const dependent of this.#dependents[task.node] ?? []) {
      const left = (this.#waitingFor[dependent] ?? 0) - 1
      this.#waitingFor[dependent] = left
      if (left === 0) this.#enqueue(dependent)
    }
    this.#events.after(0, () => this.#decide())
  }

  #lose(task: Task, host: SimulatedHost): void {
    this.#trace('lost', task, host)
    this.#lost += 1
    host.slotsTaken -= 1
    host.rest()
    task.tried.add(host.machine.name)
    // Of a small farm none may be left: the user starts the build anew.
    if (task.tried.size >= Math.min(maximumMachines, this.#hosts.length)) {
      this.#givenUp += 1
      task.tried.clear()
    }
    // The hook that has lost it chooses for itself, at once.
    this.#queue.unshift({ ...task, ready: this.#events.now })
    this.#events.after(0, () => this.#decide())
  }

  #trace(what: TraceEvent['what'], { node }: Task, host: SimulatedHost): void {
    this.scenario.trace?.({ time: this.#events.now, what, node, machine: host.machine.name })
  }
}

/** As far as is known; the load limit is that of `machines.scm` unless it says otherwise. */
function isOverloaded({ hasFreshProbe, probe }: SimulatedHost): boolean {
  return hasFreshProbe && probe !== undefined && probe.normalizedLoad >= 0.8
}

function sum(numbers: readonly number[]): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}
