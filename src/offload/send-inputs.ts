import { readFile } from 'node:fs/promises'
import { MachineError, TrustError } from '../errors/offload-error.js'
import { directInputs, readDerivation } from '../local-store/derivation-file.js'
import { inReferenceOrder, type LocalItem } from '../local-store/missing-items.js'
import { signedBundle } from '../local-store/signed-bundle.js'
import type { BuildMachine } from '../plugin-api/index.js'
import type { RemoteStore } from '../remote-store/remote-store.js'
import type { Signer } from '../trust/signer.js'
import { parseStorePath, storePathName } from '../wire/store-path.js'
import { sendingItems, waitingForSender } from './messages.js'
import type { LocalStore, OffloadPorts } from './ports.js'
import { nothingTransferred, type OffloadTask, type Transfer } from './task.js'

/** Smaller items are not worth waiting for one another, in bytes. */
const worthATurn = 2 ** 20

/**
 * Puts on the machine what the build needs and it lacks: the derivation as a text, which needs no signature, where that is possible, everything else as one signed bundle.
 * What is there already is protected first, then asked for: in the other order a collection could take it in between.
 * @param cautious protect all inputs, which costs a round trip each, and not the direct ones alone, on which the others hang once they are there
 */
export async function sendInputs(
  task: OffloadTask, machine: BuildMachine, remote: RemoteStore, local: LocalStore, ports: OffloadPorts, signal: AbortSignal, cautious = false,
): Promise<Transfer> {
  const { derivation } = task.request
  const inputs = new Set([derivation, ...directInputs(readDerivation(derivation))])
  if (cautious) for (const input of task.inputs) inputs.add(input)
  await remote.keep([...inputs])
  const wanted = new Set([...task.inputs, derivation])
  const missing = await remote.missing([...wanted])
  // Whatever was believed: this is what the machine says.
  const lacking = new Set(missing)
  await ports.items?.learn(machine, { present: [...wanted].filter((path) => !lacking.has(path)), absent: missing })
  if (missing.length === 0) return nothingTransferred
  const items: LocalItem[] = []
  for (const path of missing) items.push({ path, info: await local.pathInfo(path) })

  const large = items.filter(({ info }) => info.narSize >= worthATurn).map(({ path }) => path)
  const turn = large.length === 0 ? undefined : await ports.sendingTurns.take(machine, large, () => ports.log.info(waitingForSender(machine.name)), signal)
  try {
    const still = turn?.waited === true ? new Set(await remote.missing(missing)) : undefined
    const sent = await sendItems(still === undefined ? items : items.filter(({ path }) => still.has(path)), derivation, machine.name, remote, ports, signal)
    await ports.items?.learn(machine, { present: missing })
    return sent
  } finally {
    turn?.release()
  }
}

async function sendItems(items: readonly LocalItem[], derivation: string, machine: string, remote: RemoteStore, ports: OffloadPorts, signal: AbortSignal): Promise<Transfer> {
  if (items.length === 0) return nothingTransferred
  const bytes = items.reduce((sum, item) => sum + item.info.narSize, 0)
  ports.log.info(sendingItems(items.length, bytes, machine))

  const own = remote.addText === undefined ? undefined : items.find((item) => item.path === derivation)
  const others = items.filter((item) => item !== own)
  if (others.length > 0) await importItems(others, remote, ports, signal)
  if (own !== undefined) await addDerivation(own, machine, remote, ports.storeDirectory)
  return { items: items.length, bytes }
}

/** Sends items as one bundle, signed with our key. */
export async function importItems(items: readonly LocalItem[], remote: RemoteStore, ports: OffloadPorts, signal: AbortSignal): Promise<void> {
  const ordered = inReferenceOrder(items)
  const signer = await ports.loadSigner()
  try {
    const size = ordered.reduce((sum, { info }) => sum + info.narSize, 0)
    await remote.importBundle(() => bundleOf(ordered, signer, ports, signal), size)
  } catch (error) {
    // The daemon does not say which item it refused. One key signs them all, so it was the first.
    if (!(error instanceof TrustError) || error.code !== 'signing-key-not-authorized') throw error
    throw new TrustError({ ...error.report, subject: ordered[0]?.path }, error.retry)
  }
}

/** Where the local daemon signs, it does so on a connection of the bundle's own: one that is not read to its end takes the connection with it. */
async function* bundleOf(items: readonly LocalItem[], signer: Signer | undefined, ports: OffloadPorts, signal: AbortSignal): AsyncGenerator<Buffer> {
  const exporter = signer === undefined ? await ports.openLocalStore(signal) : undefined
  try {
    yield* signedBundle(items, ports.storeDirectory, signer, async (path, onData) => exporter?.exportSigned(path, onData))
  } finally {
    exporter?.close()
  }
}

async function addDerivation({ path, info }: LocalItem, machine: string, remote: RemoteStore, storeDirectory: string): Promise<void> {
  const added = await remote.addText?.(storePathName(parseStorePath(path, storeDirectory)), await readFile(path), info.references)
  if (added === path) return
  throw new MachineError({
    code: 'store-path-differs', machine, step: 'sending the derivation', problem: 'the machine gave it another store path',
    expected: path, seen: added ?? 'none', cure: 'Both machines must use the same store directory',
  })
}
