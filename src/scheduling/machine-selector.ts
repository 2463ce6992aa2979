import { ConfigurationError } from '../errors/offload-error.js'
import { machineId } from '../machines/machine-id.js'
import { matchMachines } from '../machines/match-machines.js'
import type { BuildMachine, BuildRequest, Candidate, Connection, Probe, Ranked, SchedulingStrategy } from '../plugin-api/index.js'
import type { Clock } from './clock.js'
import { probe } from './probe.js'
import { raceInOrder, type Entrant } from './race.js'
import type { Slot, SlotCount } from './slots.js'
import { VerdictBoard } from './verdict-board.js'
import { failureVerdict, fitness, objection, type Verdict, withoutMachine } from './verdict.js'

/** What is remembered of a machine from other builds. */
export interface MachineHealth {
  /** Why it is not to be asked now: `connect failed twice, next try in 40 s`. */
  readonly notNow?: string | undefined
  readonly probe?: Probe | undefined
}

export interface SelectionPorts {
  /** @throws OffloadFailure. A connection that comes although `signal` is aborted is closed. */
  readonly connect: (machine: BuildMachine, signal: AbortSignal) => Promise<Connection>
  readonly slots: {
    take(machine: BuildMachine): Slot | undefined
    count(machine: BuildMachine): SlotCount
  }
  readonly strategy: SchedulingStrategy
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly healthOf?: (machine: BuildMachine) => MachineHealth | undefined
}

/** Times in milliseconds. */
export interface SelectionPolicy {
  readonly storeDirectory: string
  /** Less free space on a machine and nothing is sent there. */
  readonly minimumFreeBytes: number
  readonly probeMs: number
  readonly headStartMs: number
  readonly graceMs: number
  readonly maxRunning: number
}

/** An SSH handshake on a LAN and a probe fit in the head start also where the processors are busy; what is dead costs that and no more. */
export const defaultSelectionPolicy: SelectionPolicy = {
  storeDirectory: '/gnu/store',
  minimumFreeBytes: 100 * 2 ** 20,
  probeMs: 10_000,
  headStartMs: 400,
  graceMs: 50,
  maxRunning: 8,
}

export interface Chosen {
  readonly kind: 'chosen'
  readonly machine: BuildMachine
  /** Open, and the caller's now. */
  readonly connection: Connection
  readonly slot: Slot
  readonly probe: Probe
  readonly verdicts: readonly Verdict[]
  /** Closes the connection and gives the slot back. Safe to call twice. */
  release(): Promise<void>
}

/** `none`: no machine could ever do it; `busy`: one could at another time; `unreachable`: none of those that could answers. */
export type Selection = Chosen | { readonly kind: 'none' | 'busy' | 'unreachable'; readonly verdicts: readonly Verdict[] }

export interface SelectionOptions {
  readonly signal: AbortSignal
  /** `NAME:PORT` of machines this derivation has been tried on in vain. */
  readonly tried?: ReadonlySet<string>
}

interface Contender {
  readonly candidate: Candidate
  readonly slot: Slot
}

interface RankedContender extends Contender {
  readonly ranked: Ranked
}

interface Passed {
  readonly connection: Connection
  readonly probe: Probe
}

/**
 * Chooses the machine for one derivation: match, take a slot on each, let the strategy rank, ask the best ones for real. Every machine gets a
 * verdict. Whatever the outcome, an abort included, all slots but the chosen one's have been given back, and all connections but the
 * chosen one are closed or being closed.
 */
export class MachineSelector {
  constructor(
    readonly ports: SelectionPorts,
    readonly policy: SelectionPolicy = defaultSelectionPolicy,
  ) {}

  async select(request: BuildRequest, machines: readonly BuildMachine[], { signal, tried = new Set() }: SelectionOptions): Promise<Selection> {
    signal.throwIfAborted()
    const board = new VerdictBoard(machines)
    const { suited, unsuited } = matchMachines(machines, request)
    for (const { machine, reasons } of unsuited) board.put({ machine, code: 'unsuited', reason: reasons.join('; ') })
    if (suited.length === 0) return { kind: 'none', verdicts: board.list() }

    const contenders: Contender[] = []
    let winner: RankedContender | undefined
    try {
      for (const machine of suited) {
        const contender = this.#contend(machine, tried, board)
        if (contender !== undefined) contenders.push(contender)
      }
      const ranked = contenders.length === 0 ? [] : await this.#rank(request, contenders, board)
      const won = await raceInOrder(
        ranked.map((contender) => this.#entrant(contender, board)),
        { ...this.policy, clock: this.ports.clock, signal },
      )
      winner = won === undefined ? undefined : ranked[won.index]
      if (won === undefined || winner === undefined) return { kind: board.anyBusy() ? 'busy' : 'unreachable', verdicts: board.list() }
      return chosen(winner, won.value, board)
    } finally {
      for (const { slot } of contenders) if (slot !== winner?.slot) slot.release()
    }
  }

  #contend(machine: BuildMachine, tried: ReadonlySet<string>, board: VerdictBoard): Contender | undefined {
    const health = this.ports.healthOf?.(machine)
    if (tried.has(machineId(machine))) {
      board.put({ machine, code: 'tried-before', reason: 'failed with this derivation before' })
      return undefined
    }
    if (health?.notNow !== undefined) {
      board.put({ machine, code: 'resting', reason: health.notNow, probe: health.probe })
      return undefined
    }
    try {
      // Counted first: our own slot would count as taken.
      const { free } = this.ports.slots.count(machine)
      const slot = this.ports.slots.take(machine)
      if (slot !== undefined) return { slot, candidate: { machine, freeSlots: Math.max(1, free), probe: health?.probe } }
      board.put({ machine, code: 'slots-taken', reason: `${machine.parallelBuilds} of ${machine.parallelBuilds} slots taken` })
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      board.put({ machine, code: 'slots-unusable', reason: withoutMachine(error), error })
    }
    return undefined
  }

  async #rank(request: BuildRequest, contenders: readonly Contender[], board: VerdictBoard): Promise<RankedContender[]> {
    const { strategy, clock, random } = this.ports
    const candidates = contenders.map(({ candidate }) => candidate)
    const ranking = await strategy.rank(request, candidates, { now: clock.now(), random })
    const left = new Map(contenders.map((contender) => [contender.candidate.machine, contender]))
    const order: RankedContender[] = []
    for (const ranked of ranking) {
      const contender = left.get(ranked.candidate.machine)
      // A strategy that names a machine twice, or one that is not in the running, cannot be trusted with more than a shrug.
      if (contender !== undefined) order.push({ ...contender, ranked })
      left.delete(ranked.candidate.machine)
    }
    for (const [machine, { slot }] of left) {
      slot.release()
      board.put({ machine, code: 'not-ranked', reason: `left out by the scheduling strategy ${strategy.name}` })
    }
    return order
  }

  #entrant({ candidate: { machine }, slot }: Contender, board: VerdictBoard): Entrant<Passed> {
    return {
      run: async (signal) => {
        const passed = await this.#ask(machine, board, signal)
        if (passed === undefined) slot.release()
        return passed
      },
      discard: ({ connection }) => closeQuietly(connection),
    }
  }

  async #ask(machine: BuildMachine, board: VerdictBoard, signal: AbortSignal): Promise<Passed | undefined> {
    const put = (verdict: Verdict) => {
      // What fails because it was called off says nothing about the machine.
      if (!signal.aborted) board.put(verdict)
    }
    let connection: Connection
    try {
      connection = await this.ports.connect(machine, signal)
    } catch (error) {
      put(failureVerdict(machine, 'connect', error))
      return undefined
    }
    try {
      const seen = await probe(connection, { ...this.policy, clock: this.ports.clock, signal })
      const verdict = objection(machine, seen, this.policy.minimumFreeBytes)
      if (verdict === undefined) return { connection, probe: seen }
      put(verdict)
    } catch (error) {
      put(failureVerdict(machine, 'probe', error))
    }
    closeQuietly(connection)
    return undefined
  }
}

function chosen({ candidate: { machine }, slot, ranked }: RankedContender, { connection, probe: seen }: Passed, board: VerdictBoard): Chosen {
  board.put({ machine, code: 'chosen', reason: `${ranked.reason}, ${fitness(seen)}`, probe: seen })
  board.fill((other) => ({ machine: other, code: 'not-needed', reason: `not needed, ${machine.name} was chosen` }))
  return {
    kind: 'chosen',
    machine,
    connection,
    slot,
    probe: seen,
    verdicts: board.list(),
    async release() {
      slot.release()
      await connection.close()
    },
  }
}

/** Nobody waits for it, and nothing depends on how a connection that is of no use any more ends. */
function closeQuietly(connection: Connection): void {
  connection.close().catch(() => {})
}
