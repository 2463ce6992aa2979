import { MachineError } from '../errors/offload-error.js'
import { machineId } from '../machines/machine-id.js'
import type { BuildMachine, Probe } from '../plugin-api/index.js'
import { Contest, type Contender, type ContestPolicy, type ContestPorts } from './contest.js'
import { withDeadline } from './deadline.js'
import { VerdictBoard } from './verdict-board.js'
import { failureVerdict, type Verdict } from './verdict.js'

/** What is the case with one machine, and what a selection would make of it. */
export interface Finding {
  /** As a selection would judge it: `chosen` is the one that it would take. */
  readonly verdict: Verdict
  /** For those that would be asked: the place in the strategy's order, from 1, and its grounds. */
  readonly ranked?: { readonly place: number; readonly score: number; readonly reason: string } | undefined
  /** What asking it came to, for those that can do what is wanted. */
  readonly asked?: Asked | undefined
}

export type Asked = { readonly probe: Probe; readonly milliseconds: number } | { readonly objection: Verdict; readonly milliseconds: number }

export interface Survey {
  /** As that of a selection. */
  readonly kind: 'chosen' | 'none' | 'busy' | 'disabled' | 'unreachable'
  /** The one that a selection would choose. */
  readonly machine?: BuildMachine | undefined
  /** In the order of the machines. */
  readonly findings: readonly Finding[]
}

export interface SurveyOptions {
  readonly signal: AbortSignal
  /** Milliseconds each machine has to answer. */
  readonly machineMs: number
}

/** Of a machine that would not be asked: what there is to ask it with. */
export function bystander(machine: BuildMachine): Contender {
  const slot = { machine, index: 0, file: '', release() {} }
  return { candidate: { machine, freeSlots: 0 }, slot, taken: 0, last: undefined, onTrial: false, slow: false }
}

/**
 * Asks a machine as a selection does, within its own time, and leaves nothing open. Nothing of it is remembered: whoever only wants to know must not set machines aside
 * nor bring them back.
 */
export async function ask(contender: Contender, ports: ContestPorts, policy: ContestPolicy, { signal, machineMs }: SurveyOptions): Promise<Asked> {
  const { clock } = ports
  const { machine } = contender.candidate
  const began = clock.now()
  const board = new VerdictBoard([machine])
  const late = () => new MachineError({ code: 'machine-deadline', step: 'asking the machine', problem: `no answer within ${machineMs / 1000} s`, machine: machineId(machine) })
  const contest = new Contest({ ...ports, health: forgetful(ports.health) }, policy, board, signal)
  const entrant = contest.entrant({ ...contender, onTrial: false })
  const objecting = (objection: Verdict): Asked => ({ objection, milliseconds: clock.now() - began })
  try {
    const passed = await withDeadline({ clock, ms: machineMs, signal, late }, (cut) => entrant.run(cut))
    const [objection] = board.list()
    if (passed === undefined) return objecting(objection ?? failureVerdict(machine, 'connect', late()))
    entrant.discard(passed)
    return { probe: passed.probe, milliseconds: clock.now() - began }
  } catch (error) {
    signal.throwIfAborted()
    return objecting(failureVerdict(machine, 'connect', error))
  }
}

/** A candidate with what asking the machine has come to. */
export function told(contender: Contender, answer: Asked | undefined): Contender {
  return answer === undefined || 'objection' in answer || contender.last !== undefined ? contender : { ...contender, candidate: { ...contender.candidate, probe: answer.probe } }
}

function forgetful(health: ContestPorts['health']): ContestPorts['health'] {
  const nothing = () => undefined
  return { outlook: (machine) => health.outlook(machine), begin: () => 'begun', leave: nothing, probed: nothing, failed: nothing, passed: nothing, doubted: nothing, hesitated: nothing, answeredPromptly: nothing }
}
