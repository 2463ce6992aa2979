import { machineId } from '../machines/machine-id.js'
import { matchMachines } from '../machines/match-machines.js'
import type { BuildMachine, BuildRequest, Warning } from '../plugin-api/index.js'
import type { Consumer } from '../protocol/consumer.js'
import { answerWithout, type AnswerPolicy } from '../scheduling/answer.js'
import type { Chosen, Selection, SelectionOptions } from '../scheduling/machine-selector.js'
import * as messages from './messages.js'
import type { OffloadDerivationPorts } from './offload-derivation.js'

/** An answer to guix-daemon. Accepting obliges it to call either `offload` or `abandon`. */
export type Decision =
  | { readonly reply: 'decline' | 'postpone'; afterwards(): Promise<void> }
  | {
      readonly reply: 'accept'
      offload(inputs: string[], outputs: string[]): Promise<number>
      abandon(): Promise<void>
    }

export interface DecidePorts extends Omit<OffloadDerivationPorts, 'reselect'> {
  /** Read anew for each request: one process may be asked many times before it accepts. */
  machines(signal: AbortSignal): Promise<{ readonly machines: readonly BuildMachine[]; readonly warnings: readonly Warning[] }>
  select(request: BuildRequest, machines: readonly BuildMachine[], options: SelectionOptions): Promise<Selection>
  readonly answerPolicy: AnswerPolicy
  /** Milliseconds after which machines that have not answered are given up where the daemon can build instead. */
  readonly patienceMs: number
  /** Takes away what killed hooks left in the store. */
  cleanUp(): void
  readonly buildLog: Consumer
  /** What need not be said again, though guix-daemon asks again and again. */
  readonly said: Set<string>
}

/** Seconds, from the hook's arguments; 0: no limit. */
export interface BuildLimits {
  readonly maxSilentTime: number
  readonly timeout: number
}

/** Answers one request: which machine builds this derivation, if any. The machine's slot is taken and the connection to it open if the answer is accept. */
export async function decide(request: BuildRequest, limits: BuildLimits, ports: DecidePorts, signal: AbortSignal): Promise<Decision> {
  const started = ports.monotonic()
  const { machines, warnings } = await ports.machines(signal)
  for (const warning of warnings) ports.log.warn(warning.message)
  const selecting = ports.select(request, machines, { signal, deadlineMs: mayBuildHere(request, ports) ? ports.patienceMs : undefined })
  // Needed after an accept alone: loaded while machines are asked, and not at all where there is none to ask.
  const loading = matchMachines(machines, request).suited.length > 0 ? import('./offload-derivation.js') : undefined
  const selection = await selecting
  if (selection.kind !== 'chosen') {
    tellRejections(selection, ports)
    const reply = answerWithout(selection, request, ports.answerPolicy)
    // That no machine builds for the system says nothing of any of them, and is so again for every build.
    const telling = selection.verdicts.some(({ machine }) => machine.systems.includes(request.system))
    return { reply, afterwards: async () => (telling ? ports.noteRefusal(request, reply === 'decline' ? 'declined' : 'postponed', selection.verdicts) : undefined) }
  }
  tellChoice(selection, ports)
  const selectMilliseconds = ports.monotonic() - started
  const reselect: OffloadDerivationPorts['reselect'] = async (task, tried, cancelled, desperate) => {
    const next = await ports.select(task.request, machines, { tried, signal: cancelled, desperate })
    if (next.kind === 'chosen') tellChoice(next, ports)
    return next
  }
  return {
    reply: 'accept',
    async offload(inputs, outputs) {
      cleanUpAfterOthers(ports)
      const task = { request, inputs, outputs, ...limits }
      const { offloadDerivation } = await (loading ?? import('./offload-derivation.js'))
      return offloadDerivation(task, selection, selectMilliseconds, { ...ports, reselect }, ports.buildLog, signal)
    },
    abandon: () => selection.release(),
  }
}

/** The daemon is told to build it itself if no machine answers. */
function mayBuildHere(request: BuildRequest, { answerPolicy }: DecidePorts): boolean {
  return answerWithout({ kind: 'unreachable', verdicts: [] }, request, answerPolicy) === 'decline'
}

/** What others have left is in nobody's way: that it cannot be removed must not fail this build. */
function cleanUpAfterOthers(ports: DecidePorts): void {
  try {
    ports.cleanUp()
  } catch (error) {
    ports.log.debug(`what killed hooks left in the store cannot be removed: ${String(error)}`)
  }
}

function tellChoice({ machine, slot, probe, verdicts }: Chosen, { log }: DecidePorts): void {
  // Passed over, but not in silence: a misconfigured machine would otherwise never be noticed while another one works.
  for (const verdict of verdicts) if (verdict.error !== undefined) log.warn(`machine '${machineId(verdict.machine)}': ${verdict.reason}`)
  log.info(messages.slotAcquired(process.pid, slot.file))
  log.info(messages.normalizedLoad(machine.name, probe.normalizedLoad))
}

/** Says why each machine that could have built it will not; what does not match by system or feature is left out, as it never would. */
function tellRejections({ verdicts }: Selection, { log, said }: DecidePorts): void {
  for (const { machine, code, reason, probe, error } of verdicts) {
    if (probe !== undefined) log.info(messages.normalizedLoad(machine.name, probe.normalizedLoad))
    if (code === 'low-disk-space' && probe !== undefined) log.info(messages.lowDiskSpace(machine.name, probe.freeBytes))
    if (error !== undefined) log.warn(`machine '${machineId(machine)}': ${reason}`)
    if (code === 'resting' || code === 'disabled') tellOnce(`machine '${machineId(machine)}': ${reason}`, said, log)
  }
}

function tellOnce(message: string, said: Set<string>, log: DecidePorts['log']): void {
  if (said.has(message)) return
  said.add(message)
  log.info(message)
}
