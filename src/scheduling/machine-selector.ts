import { ConfigurationError } from '../errors/offload-error.js'
import { machineId } from '../machines/machine-id.js'
import { matchMachines } from '../machines/match-machines.js'
import type { BuildMachine, BuildRequest, Connection, Probe, Ranked, SchedulingStrategy } from '../plugin-api/index.js'
import { Contest, type Contender, type ContestPolicy, type ContestPorts, type Passed } from './contest.js'
import { believedProbe } from './health.js'
import type { Gathered } from './gather-candidates.js'
import type { InputPorts } from './gather-inputs.js'
import { raceInOrder } from './race.js'
import type { Slot, SlotCount } from './slots.js'
import { ask, bystander, told, type Asked, type Survey, type SurveyOptions } from './survey.js'
import { VerdictBoard } from './verdict-board.js'
import { fitness, objection, room, type Verdict, withoutMachine } from './verdict.js'

export interface SelectionPorts extends ContestPorts {
  readonly slots: {
    take(machine: BuildMachine): Slot | undefined
    count(machine: BuildMachine): SlotCount
  }
  readonly strategy: SchedulingStrategy
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** For strategies that need to know the inputs of a build. */
  readonly inputs?: InputPorts | undefined
}

/** Times in milliseconds. */
export interface SelectionPolicy extends ContestPolicy {
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
  trialMs: 1_000,
  maxAsked: 24,
  patienceMs: 1_000,
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
  readonly desperate?: boolean | undefined
  /** Milliseconds after which it is over, and machines that have not answered are taken for dead. */
  readonly deadlineMs?: number | undefined
}

interface RankedContender extends Contender {
  readonly ranked: Ranked
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

  async select(request: BuildRequest, machines: readonly BuildMachine[], { signal, tried = new Set(), desperate = false, deadlineMs }: SelectionOptions): Promise<Selection> {
    signal.throwIfAborted()
    const board = new VerdictBoard(machines)
    const { suited, unsuited } = matchMachines(machines, request)
    for (const { machine, reasons } of unsuited) board.put({ machine, code: 'unsuited', reason: reasons.join('; ') })
    if (suited.length === 0) return { kind: 'none', verdicts: board.list() }

    const contenders: Contender[] = []
    const contest = new Contest(this.ports, this.policy, board, signal)
    let winner: RankedContender | undefined
    try {
      for (const machine of suited) {
        const contender = this.#contend(machine, tried, desperate, board)
        if (contender !== undefined) contenders.push(contender)
      }
      const begun = this.ports.clock.now()
      const gathered = await this.#gather(request, contenders, contest, signal, deadlineMs)
      const ranked = await this.#rank(request, gathered, board)
      const leftMs = deadlineMs === undefined ? undefined : Math.max(0, deadlineMs - (this.ports.clock.now() - begun))
      const won = await raceInOrder(
        ranked.map((contender) => contest.entrant(contender)),
        { ...this.policy, deadlineMs: leftMs, clock: this.ports.clock, signal },
      )
      winner = won === undefined ? undefined : ranked[won.index]
      if (won === undefined && deadlineMs !== undefined) contest.giveUp(deadlineMs)
      if (won === undefined || winner === undefined) return { kind: board.withoutChoice(), verdicts: board.list() }
      return this.#chosen(winner, won.value, ranked, board)
    } finally {
      contest.end()
      for (const { slot } of contenders) if (slot !== winner?.slot) slot.release()
    }
  }

  /**
   * Judges as {@link MachineSelector.select} does, and by the same code, but to explain: every machine that could do it is asked, side by side, also
   * one that a selection would pass over. With slots that are only looked at, nobody notices.
   */
  async survey(request: BuildRequest, machines: readonly BuildMachine[], options: SurveyOptions): Promise<Survey> {
    const board = new VerdictBoard(machines)
    const { suited, unsuited } = matchMachines(machines, request)
    for (const { machine, reasons } of unsuited) board.put({ machine, code: 'unsuited', reason: reasons.join('; ') })
    const contenders = suited.flatMap((machine) => this.#contend(machine, new Set(), false, board) ?? [])
    try {
      const byMachine = new Map(contenders.map((contender) => [contender.candidate.machine, contender]))
      const asked = new Map(await Promise.all(suited.map(async (machine) => [machine, await ask(byMachine.get(machine) ?? bystander(machine), this.ports, this.policy, options)] as const)))
      // What the strategy is told here is what they have just said.
      const enquire: Contest['enquire'] = async (some) => some.map((contender) => told(contender, asked.get(contender.candidate.machine)))
      const ranked = await this.#rank(request, await this.#gather(request, contenders, { enquire }, options.signal, undefined), board)
      const fit = ranked.filter((contender) => this.#judge(contender, asked.get(contender.candidate.machine), board))
      const [winner] = [...fit.filter(({ slow }) => !slow), ...fit]
      if (winner !== undefined) board.change(winner.candidate.machine, 'chosen')
      const places = new Map(ranked.map(({ candidate: { machine }, ranked: { score, reason } }, index) => [machine, { place: index + 1, score, reason }]))
      return {
        kind: suited.length === 0 ? 'none' : winner !== undefined ? 'chosen' : board.withoutChoice(),
        machine: winner?.candidate.machine,
        findings: board.list().map((verdict) => ({ verdict, ranked: places.get(verdict.machine), asked: asked.get(verdict.machine) })),
      }
    } finally {
      for (const { slot } of contenders) slot.release()
    }
  }

  /** What a selection would make of the answer; true if it could take the machine. */
  #judge({ candidate: { machine }, ranked, slow, onTrial }: RankedContender, answer: Asked | undefined, board: VerdictBoard): boolean {
    if (answer === undefined) return false
    if (onTrial && answer.milliseconds > this.policy.trialMs) {
      // Nobody waits longer for a machine that was set aside.
      board.put({ machine, code: 'resting', reason: `${this.ports.health.outlook(machine).reason ?? 'set aside'}; the next build tries it again` })
      return false
    }
    if ('objection' in answer) {
      board.put(answer.objection)
      return false
    }
    const late = slow ? ', but it did not answer at once lately' : ''
    board.put({ machine, code: 'not-needed', reason: `${ranked.reason}, ${fitness(answer.probe)}${late}`, probe: answer.probe })
    return true
  }

  #contend(machine: BuildMachine, tried: ReadonlySet<string>, desperate: boolean, board: VerdictBoard): Contender | undefined {
    const { health, slots } = this.ports
    if (tried.has(machineId(machine))) {
      board.put({ machine, code: 'tried-before', reason: 'failed with this derivation before' })
      return undefined
    }
    const { state, reason = '', last, slow } = health.outlook(machine)
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
      } else {
        const taken = total - free
        const probe = last === undefined ? undefined : believedProbe(last, taken)
        const startedSince = last === undefined || taken <= last.taken ? undefined : taken - last.taken
        // A machine that is tried again has to show that it works.
        return { slot, taken, slow, onTrial: state === 'due' && !desperate, last: state === 'well' ? last : undefined, candidate: { machine, freeSlots: Math.max(1, free), probe, startedSince } }
      }
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      board.put({ machine, code: 'slots-unusable', reason: withoutMachine(error), error })
    }
    return undefined
  }

  /** Strategies that need nothing wait for nothing. */
  async #gather(request: BuildRequest, contenders: readonly Contender[], contest: Pick<Contest, 'enquire'>, signal: AbortSignal, deadlineMs: number | undefined): Promise<Gathered> {
    const { strategy: { needs }, inputs } = this.ports
    if (needs === undefined || contenders.length === 0) return { contenders, expectedSeconds: undefined }
    const { gatherCandidates } = await import('./gather-candidates.js')
    return gatherCandidates(request, contenders, { needs, contest, inputs, signal, deadlineMs })
  }

  async #rank(request: BuildRequest, { contenders, expectedSeconds }: Gathered, board: VerdictBoard): Promise<RankedContender[]> {
    if (contenders.length === 0) return []
    const { strategy, clock, random } = this.ports
    const candidates = contenders.map(({ candidate }) => candidate)
    const ranking = await strategy.rank(request, candidates, { now: clock.now(), random, expectedSeconds })
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

  #chosen({ candidate: { machine }, slot, ranked, onTrial }: RankedContender, { connection, probe: seen }: Passed, ranking: readonly RankedContender[], board: VerdictBoard): Chosen {
    const { health, strategy: { needs } } = this.ports
    // Whoever has asked for loads says something of them.
    board.put({ machine, code: 'chosen', reason: `${ranked.reason}, ${needs?.probes === undefined ? fitness(seen) : room(seen)}`, probe: seen })
    const reasons = new Map(needs === undefined ? [] : ranking.map((other) => [other.candidate.machine, `: ${other.ranked.reason}`]))
    board.fill((other) => ({ machine: other, code: 'not-needed', reason: `not needed, ${machine.name} was chosen${reasons.get(other) ?? ''}` }))
    return {
      kind: 'chosen',
      machine,
      connection,
      slot,
      probe: seen,
      verdicts: board.list(),
      async release() {
        slot.release()
        if (onTrial) health.leave(machine)
        await connection.close()
      },
    }
  }
}
