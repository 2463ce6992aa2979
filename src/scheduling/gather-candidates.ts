/** What a strategy that {@link StrategyNeeds | needs} to know more than is at hand is told. Loaded for such strategies alone. */
import { isEmulated } from '../machines/emulation.js'
import type { BuildRequest, Candidate, StrategyNeeds } from '../plugin-api/index.js'
import type { Contender, Contest } from './contest.js'
import { gatherInputs, type InputPorts } from './gather-inputs.js'

export interface GatherOptions {
  readonly needs: StrategyNeeds
  readonly contest: Pick<Contest, 'enquire'>
  /** Undefined where nobody can tell. */
  readonly inputs: InputPorts | undefined
  readonly signal: AbortSignal
  /** Milliseconds after which nobody is waited for. */
  readonly deadlineMs: number | undefined
}

export interface Gathered {
  /** Without those that have turned out to be of no use. */
  readonly contenders: readonly Contender[]
  readonly expectedSeconds: number | undefined
}

/** Asks machines and local daemon at the same time. Rejected when the signal is aborted. */
export async function gatherCandidates(request: BuildRequest, contenders: readonly Contender[], { needs, contest, inputs, signal, deadlineMs }: GatherOptions): Promise<Gathered> {
  const machines = contenders.map(({ candidate: { machine } }) => machine)
  const [answered, known] = await Promise.all([
    needs.probes === 'all' ? contest.enquire(mostPromisingFirst(contenders), deadlineMs) : contenders,
    needs.inputs === true && inputs !== undefined ? gatherInputs(request.derivation, machines, inputs, signal) : undefined,
  ])
  const told = ({ machine, probe, ...rest }: Candidate): Candidate => {
    const emulated = isEmulated(machine, request.system, probe?.architecture) ? true : undefined
    return { machine, probe, ...rest, ...known?.of(machine), emulated }
  }
  return { contenders: answered.map((contender) => ({ ...contender, candidate: told(contender.candidate) })), expectedSeconds: known?.expectedSeconds }
}

/** With hundreds of machines not all are asked in time. */
function mostPromisingFirst(contenders: readonly Contender[]): Contender[] {
  const promise = ({ candidate: { machine, freeSlots } }: Contender): number => (machine.speed * freeSlots) / machine.parallelBuilds
  return [...contenders].sort((a, b) => promise(b) - promise(a))
}
