import { OffloadError } from '../errors/offload-error.js'
import type { BuildMachine, Connection } from '../plugin-api/index.js'
import { machineId } from '../machines/machine-id.js'
import type { Consumer } from '../protocol/consumer.js'
import { fetchOutputs, type Received } from './fetch-outputs.js'
import type { ProvenanceEntry } from '../state/provenance.js'
import { displayKey } from '../trust/public-key.js'
import * as messages from './messages.js'
import type { PhaseTimer } from './phases.js'
import type { OffloadPorts } from './ports.js'
import { sendInputs } from './send-inputs.js'
import { nothingTransferred, type OffloadTask, type Transfer } from './task.js'

export interface BuildPorts extends OffloadPorts {
  /** The machine has all it needs. */
  inputsSent?(): void
}

export interface BuildRecord {
  readonly phases: PhaseTimer
  sent: Transfer
  fetched: Transfer
}

/** One derivation on one machine. */
export interface MachineBuild {
  readonly task: OffloadTask
  readonly machine: BuildMachine
  /** The caller's, who closes it. */
  readonly connection: Connection
  /** Gets what the builder prints. */
  readonly buildLog: Consumer
  /** Filled in while it goes on, so that a failed build has its record, too. */
  readonly record: BuildRecord
}

/** A collection of garbage on the machine took an item that we counted on, after we had asked for it: that is how its daemon puts it. */
const collected: ReadonlySet<string> = new Set(['reference-missing', 'inputs-missing'])
const maximumAttempts = 3

/**
 * Over channels of one connection: send what is missing, build, fetch. What is taken away by a collection of garbage there meanwhile is sent again.
 * @throws BuildError for the derivation's own failure; anything else is the machine's, ours, or the abort's reason
 */
export async function buildOnMachine(build: MachineBuild, ports: BuildPorts, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptOnMachine(build, ports, signal, attempt > 1)
    } catch (error) {
      if (signal.aborted || attempt === maximumAttempts || !(error instanceof OffloadError) || !collected.has(error.code)) throw error
      ports.log.info(`'${build.machine.name}' has collected garbage meanwhile (${error.report.problem}); sending what it lacks now`)
    }
  }
}

async function attemptOnMachine({ task, machine, connection, buildLog, record }: MachineBuild, ports: BuildPorts, signal: AbortSignal, cautious: boolean): Promise<void> {
  const { derivation } = task.request
  const { log } = ports
  // Both daemons greet us at the same time. The list of keys is read before anything is sent: without it a whole build would be in vain.
  const [local, remote, acl] = await Promise.allSettled([ports.openLocalStore(signal), ports.openRemoteStore(connection, machine, signal), ports.loadAcl()])
  try {
    if (acl.status === 'rejected') throw acl.reason
    if (local.status === 'rejected') throw local.reason
    if (remote.status === 'rejected') throw remote.reason
    const sent = await record.phases.time('send', () => sendInputs(task, machine, remote.value, local.value, ports, signal, cautious))
    record.sent = { items: record.sent.items + sent.items, bytes: record.sent.bytes + sent.bytes }
    ports.inputsSent?.()

    log.info(messages.offloading(derivation, machine.name))
    log.info(messages.buildRemote(derivation, machine.name))
    await record.phases.time('build', async () => {
      const warm = remote.value.warmUpSigning(derivation)
      await remote.value.build(derivation, { maxSilentTime: task.maxSilentTime, timeout: task.timeout, offloadOnward: ports.offloadOnward }, buildLog)
      await warm
    })
    const { received, ...fetched } = await record.phases.time('fetch', () => fetchOutputs(task.outputs, machine.name, remote.value, local.value, { ...ports, loadAcl: async () => acl.value }))
    record.fetched = fetched
    await Promise.all([ports.items?.learn(machine, { present: task.outputs }), ports.keepProvenance(provenanceOf(received, derivation, machine, ports.now()))])
    log.info(messages.doneOffloading(derivation))
  } finally {
    if (local.status === 'fulfilled') local.value.close()
    if (remote.status === 'fulfilled') await remote.value.close()
  }
}

function provenanceOf(received: readonly Received[], derivation: string, machine: BuildMachine, now: number): ProvenanceEntry[] {
  const time = new Date(now).toISOString()
  return received.map(({ item, key }) => ({
    path: item.path,
    time,
    machine: machineId(machine),
    derivation,
    narBytes: item.narSize,
    key: displayKey(key),
    narHash: item.narHash.toString('hex'),
    signedHash: item.hash.toString('hex'),
    signature: item.signature ?? '',
  }))
}

export function newRecord(phases: PhaseTimer): BuildRecord {
  return { phases, sent: nothingTransferred, fetched: nothingTransferred }
}
