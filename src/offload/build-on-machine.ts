import type { BuildMachine, Connection } from '../plugin-api/index.js'
import type { Consumer } from '../protocol/consumer.js'
import { fetchOutputs } from './fetch-outputs.js'
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

/**
 * One derivation on one machine, over channels of one connection: send what is missing, build, fetch. The connection stays the caller's.
 * @throws BuildError for the derivation's own failure; anything else is the machine's, ours, or the abort's reason
 */
export async function buildOnMachine(
  task: OffloadTask,
  machine: BuildMachine,
  connection: Connection,
  ports: BuildPorts,
  buildLog: Consumer,
  record: BuildRecord,
  signal: AbortSignal,
): Promise<void> {
  const { derivation } = task.request
  const { log } = ports
  // Both daemons greet us at the same time. The list of keys is read before anything is sent: without it a whole build would be in vain.
  const [local, remote, acl] = await Promise.allSettled([ports.openLocalStore(signal), ports.openRemoteStore(connection, machine, signal), ports.loadAcl()])
  try {
    if (acl.status === 'rejected') throw acl.reason
    if (local.status === 'rejected') throw local.reason
    if (remote.status === 'rejected') throw remote.reason
    record.sent = await record.phases.time('send', () => sendInputs(task, machine, remote.value, local.value, ports, signal))
    ports.inputsSent?.()

    log.info(messages.offloading(derivation, machine.name))
    log.info(messages.buildRemote(derivation, machine.name))
    await record.phases.time('build', async () => {
      const warm = remote.value.warmUpSigning(derivation)
      await remote.value.build(derivation, { maxSilentTime: task.maxSilentTime, timeout: task.timeout, offloadOnward: ports.offloadOnward }, buildLog)
      await warm
    })
    record.fetched = await record.phases.time('fetch', () => fetchOutputs(task.outputs, machine.name, remote.value, local.value, { ...ports, loadAcl: async () => acl.value }))
    await ports.items?.learn(machine, { present: task.outputs })
    log.info(messages.doneOffloading(derivation))
  } finally {
    if (local.status === 'fulfilled') local.value.close()
    if (remote.status === 'fulfilled') await remote.value.close()
  }
}

export function newRecord(phases: PhaseTimer): BuildRecord {
  return { phases, sent: nothingTransferred, fetched: nothingTransferred }
}
