import { BuildError, OffloadError } from '../errors/offload-error.js'
import type { Health } from '../scheduling/health.js'
import type { Chosen, Selection } from '../scheduling/machine-selector.js'
import { machineId } from '../machines/machine-id.js'
import type { Consumer } from '../protocol/consumer.js'
import type { BuildRequest, Connection, Probe } from '../plugin-api/index.js'
import type { History, HistoryEntry } from '../state/history.js'
import type { Verdict } from '../scheduling/verdict.js'
import type { LinkMemory } from '../state/link-memory.js'
import type { RefusalEntry } from '../state/refusals.js'
import { type BuildRecord, buildOnMachine, newRecord } from './build-on-machine.js'
import * as messages from './messages.js'
import { PhaseTimer } from './phases.js'
import type { OffloadPorts } from './ports.js'
import type { OffloadTask } from './task.js'
import { verdictRecords } from './verdict-records.js'

/** Machines that one derivation is tried on before the hook gives up. */
const maximumMachines = 3
/** With less free space after a failed build the failure is put down to the disk, as stock does. */
const suspiciousFreeBytes = 10 * 2 ** 20

/** Between two looks whether a busy machine has become free: as often as guix-daemon asks again. */
const askAgainMilliseconds = 5_000

/** guix-daemon takes any status but 0, 100 and 101 for a failure of the hook: transient. */
const hookFailure = 1

export interface OffloadDerivationPorts extends OffloadPorts {
  /** Chooses another machine, leaving out those named `NAME:PORT`. @param desperate ask also those that are set aside */
  reselect(task: OffloadTask, tried: ReadonlySet<string>, signal: AbortSignal, desperate?: boolean): Promise<Selection>
  probe(connection: Connection, signal: AbortSignal): Promise<Probe>
  /** Rejected with the signal's reason once that is aborted. */
  pause(milliseconds: number, signal: AbortSignal): Promise<void>
  readonly history: History
  /** Keeps why nobody took it. */
  noteRefusal(request: BuildRequest, outcome: RefusalEntry['outcome'], verdicts: readonly Verdict[]): Promise<void>
  /** Learns from each transfer how fast the link is. */
  readonly links: Pick<LinkMemory, 'learn'>
  /** Tells other processes how the machine did. */
  readonly health: Pick<Health, 'failed' | 'passed'>
}

/**
 * Serves one accepted derivation to its end and returns the exit status for guix-daemon. An accept cannot be taken back, so a machine that is lost
 * before its daemon has given a verdict on the build is replaced here, in the same process.
 */
export async function offloadDerivation(
  task: OffloadTask,
  first: Chosen,
  /** Spent on choosing `first`. */
  selectMilliseconds: number,
  ports: OffloadDerivationPorts,
  buildLog: Consumer,
  signal: AbortSignal,
): Promise<number> {
  const tried = new Set<string>()
  let phases = new PhaseTimer(ports.monotonic)
  phases.add('select', selectMilliseconds)
  for (let chosen = first; ; ) {
    const { machine } = chosen
    tried.add(machineId(machine))
    const record = newRecord(phases)
    const began = ports.now()
    let failure: unknown
    try {
      const inputsSent = () => ports.health.passed(machine, 'used')
      await buildOnMachine({ task, machine, connection: chosen.connection, buildLog, record }, { ...ports, inputsSent }, signal)
      ports.health.passed(machine, 'done')
      await ports.history.append(entry(task, chosen, record, ports.now(), 0))
      await learnFrom(record, chosen, ports)
      return 0
    } catch (error) {
      failure = error
      if (error instanceof BuildError) ports.health.passed(machine, 'done')
      else if (!signal.aborted) ports.health.failed(machine, 'use', error, began)
      const status = signal.aborted ? hookFailure : await exitStatus(task, chosen, error, ports, signal)
      await ports.history.append(entry(task, chosen, record, ports.now(), status, error, signal.aborted))
      if (signal.aborted || !mayMoveOn(error)) return status
    } finally {
      await chosen.release()
    }
    if (tried.size >= maximumMachines) return hookFailure
    phases = new PhaseTimer(ports.monotonic)
    const next = await phases.time('select', () => anotherMachine(task, tried, ports, signal))
    if (next.kind !== 'chosen') {
      await ports.noteRefusal(task.request, 'no-other-machine', next.verdicts)
      ports.log.warn(`no other machine can take '${task.request.derivation}' now`)
      return hookFailure
    }
    ports.log.info(`'${machine.name}' failed (${codeOf(failure)}); trying '${next.machine.name}'`)
    chosen = next
  }
}

/** Where all others are only busy, we wait in guix-daemon's stead: what has been accepted cannot be postponed any more. */
async function anotherMachine(task: OffloadTask, tried: ReadonlySet<string>, ports: OffloadDerivationPorts, signal: AbortSignal): Promise<Selection> {
  for (let told = false; ; told = true) {
    let selection = await ports.reselect(task, tried, signal)
    // One that is set aside may have come back, and is better than a build that fails for lack of machines.
    if (selection.kind === 'unreachable') selection = await ports.reselect(task, tried, signal, true)
    if (selection.kind !== 'busy') return selection
    if (!told) ports.log.info(`waiting until another machine can take '${task.request.derivation}'`)
    await ports.pause(askAgainMilliseconds, signal)
  }
}

/** Tells the user, and says how the hook would end if no other machine took over. */
async function exitStatus(task: OffloadTask, chosen: Chosen, error: unknown, ports: OffloadDerivationPorts, signal: AbortSignal): Promise<number> {
  const { derivation } = task.request
  const { name } = chosen.machine
  ports.log.info(messages.offloadFailed(derivation, name, textOf(error)))
  if (!(error instanceof BuildError)) return hookFailure
  // A build that ran out of time says nothing about the disk.
  if (error.status !== 100) return error.status
  const free = await ports.probe(chosen.connection, signal).then(
    (probe) => probe.freeBytes,
    () => undefined,
  )
  if (free === undefined || free >= suspiciousFreeBytes) return error.status
  ports.log.info(messages.failedForLackOfSpace(name))
  return hookFailure
}

/** The derivation's own failure is final; so is what would be the same with any machine. */
function mayMoveOn(error: unknown): boolean {
  return error instanceof OffloadError && error.retry !== 'never'
}

async function learnFrom({ phases, sent, fetched }: BuildRecord, { machine, connection }: Chosen, { links }: OffloadDerivationPorts): Promise<void> {
  const { send, fetch } = phases.seconds()
  // What was negotiated; a transport that does not say is taken at what it was asked for.
  const compressed = (connection.details.compression ?? connection.machine.compression ?? 'none') !== 'none'
  await links.learn(machine, { bytes: sent.bytes, seconds: send ?? 0, compressed })
  await links.learn(machine, { bytes: fetched.bytes, seconds: fetch ?? 0, compressed })
}

function codeOf(error: unknown): string {
  return error instanceof OffloadError ? error.code : 'internal'
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function entry(
  task: OffloadTask,
  { machine, verdicts }: Chosen,
  { phases, sent, fetched }: BuildRecord,
  now: number,
  status: number,
  error?: unknown,
  cancelled = false,
): HistoryEntry {
  const outcome = error === undefined ? 'built' : cancelled ? 'cancelled' : error instanceof BuildError ? 'build-failed' : 'machine-failed'
  return {
    time: new Date(now).toISOString(),
    derivation: task.request.derivation,
    system: task.request.system,
    machine: machineId(machine),
    outcome,
    status,
    seconds: phases.seconds(),
    sent,
    fetched,
    verdicts: verdictRecords(verdicts),
    ...(error === undefined ? {} : { error: { code: codeOf(error), message: textOf(error) } }),
  }
}
