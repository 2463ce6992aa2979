import { ConfigurationError } from '../errors/offload-error.js'
import { machineId } from '../machines/machine-id.js'
import { matchMachines } from '../machines/match-machines.js'
import type { BuildMachine, BuildRequest, Candidate, Connection, Probe, Ranked, SchedulingStrategy } from '../plugin-api/index.js'
import type { LastProbe } from '../state/health-files.js'
import type { Clock } from './clock.js'
import { believedProbe, type Health } from './health.js'
import { probe } from './probe.js'
import { raceInOrder, type Entrant } from './race.js'
import type { Slot, SlotCount } from './slots.js'
import { VerdictBoard } from './verdict-board.js'
import { failureVerdict, fitness, objection, type Verdict, withoutMachine } from './verdict.js'

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
  readonly health: Pick<Health, 'outlook' | 'begin' | 'leave' | 'probed' | 'failed' | 'passed'>
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

/** `none`: no machine could ever do it; `busy`: one could at another time; `disabled`: people want none of those that could to do it now; `unreachable`: none of the others answers. */
export type Selection = Chosen | { readonly kind: 'none' | 'busy' | 'disabled' | 'unreachable'; readonly verdicts: readonly Verdict[] }

export interface SelectionOptions {
  readonly signal: AbortSignal
  /** `NAME:PORT` of machines this derivation has been tried on in vain. */
  readonly tried?: ReadonlySet<string>
  /** Machines that are set aside are asked as well: there is nothing to lose any more. */
  readonly desperate?: boolean
}

interface Contender {
  readonly candidate: Candidate
  readonly slot: Slot
  /** Taken before we took one. */
  readonly taken: number
  /** Fresh enough to do without asking again. */
  readonly last: LastProbe | undefined
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

  async select(request: BuildRequest, machines: readonly BuildMachine[], { signal, tried = new Set(), desperate = false }: SelectionOptions): Promise<Selection> {
    signal.throwIfAborted()
    const board = new VerdictBoard(machines)
    const { suited, unsuited } = matchMachines(machines, request)
    for (const { machine, reasons } of unsuited) board.put({ machine, code: 'unsuited', reason: reasons.join('; ') })
    if (suited.length === 0) return { kind: 'none', verdicts: board.list() }

    const contenders: Contender[] = []
    let winner: RankedContender | undefined
    try {
      for (const machine of suited) {
        const contender = this.#contend(machine, tried, desperate, board)
        if (contender !== undefined) contenders.push(contender)
      }
      const ranked = contenders.length === 0 ? [] : await this.#rank(request, contenders, board)
      const won = await raceInOrder(
        ranked.map((contender) => this.#entrant(contender, board)),
        { ...this.policy, clock: this.ports.clock, signal },
      )
      winner = won === undefined ? undefined : ranked[won.index]
      if (won === undefined || winner === undefined) return { kind: board.withoutChoice(), verdicts: board.list() }
      return this.#chosen(winner, won.value, board)
    } finally {
      for (const { slot, candidate: { machine } } of contenders) {
        if (slot === winner?.slot) continue
        slot.release()
        this.ports.health.leave(machine)
      }
    }
  }

  #contend(machine: BuildMachine, tried: ReadonlySet<string>, desperate: boolean, board: VerdictBoard): Contender | undefined {
    const { health, slots } = this.ports
    if (tried.has(machineId(machine))) {
      board.put({ machine, code: 'tried-before', reason: 'failed with this derivation before' })
      return undefined
    }
    const { state, reason = '', last } = health.outlook(machine)
    if (state === 'disabled' || (state === 'resting' && !desperate)) {
      board.put({ machine, code: state, reason })
      return undefined
    }
    const old = last === undefined ? undefined : objection(machine, last.probe, this.policy.minimumFreeBytes)
    if (old !== undefined) {
      board.put({ ...old, reason: `${old.reason}, seen ${Math.round((this.ports.clock.now() - (last?.probe.at ?? 0)) / 1000)} s ago` })
      return undefined
    }
    try {
      // Counted first: our own slot would count as taken.
      const { free, total } = slots.count(machine)
      const slot = slots.take(machine)
      if (slot === undefined) {
        board.put({ machine, code: 'slots-taken', reason: `${machine.parallelBuilds} of ${machine.parallelBuilds} slots taken` })
      } else if (state === 'due' && !desperate && !health.begin(machine)) {
        slot.release()
        board.put({ machine, code: 'resting', reason: `${reason}; another process tries it again just now` })
      } else {
        const taken = total - free
        const probe = last === undefined ? undefined : believedProbe(last, taken)
        // A machine that is tried again has to show that it works.
        return { slot, taken, last: state === 'well' ? last : undefined, candidate: { machine, freeSlots: Math.max(1, free), probe } }
      }
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
      this.ports.health.leave(machine)
      board.put({ machine, code: 'not-ranked', reason: `left out by the scheduling strategy ${strategy.name}` })
    }
    return order
  }

  #entrant(contender: Contender, board: VerdictBoard): Entrant<Passed> {
    return {
      run: async (signal) => {
        const passed = await this.#ask(contender, board, signal)
        if (passed === undefined) contender.slot.release()
        return passed
      },
      discard: ({ connection }) => closeQuietly(connection),
    }
  }

  async #ask({ candidate: { machine }, taken, last }: Contender, board: VerdictBoard, signal: AbortSignal): Promise<Passed | undefined> {
    const { clock, health } = this.ports
    const began = clock.now()
    const failed = (phase: 'connect' | 'probe', error: unknown) => {
      // What fails because it was called off says nothing about the machine.
      if (signal.aborted) return
      board.put(failureVerdict(machine, phase, error))
      health.failed(machine, 'reach', error, began)
    }
    let connection: Connection
    try {
      connection = await this.ports.connect(machine, signal)
    } catch (error) {
      failed('connect', error)
      return undefined
    }
    try {
      // That it answers is seen from the connection; what else there is to know, another build has asked a moment ago.
      const seen = last?.probe ?? await probe(connection, { ...this.policy, clock, signal })
      if (last === undefined) health.probed(machine, { probe: seen, taken })
      health.passed(machine, 'reached')
      const verdict = objection(machine, seen, this.policy.minimumFreeBytes)
      if (verdict === undefined) return { connection, probe: seen }
      if (!signal.aborted) board.put(verdict)
    } catch (error) {
      failed('probe', error)
    }
    closeQuietly(connection)
    return undefined
  }

  #chosen({ candidate: { machine }, slot, ranked }: RankedContender, { connection, probe: seen }: Passed, board: VerdictBoard): Chosen {
    const { health } = this.ports
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
        health.leave(machine)
        await connection.close()
      },
    }
  }
}

/** Nobody waits for it, and nothing depends on how a connection that is of no use any more ends. */
function closeQuietly(connection: Connection): void {
  connection.close().catch(() => {})
}
