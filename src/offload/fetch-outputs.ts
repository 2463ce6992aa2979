import { renameSync } from 'node:fs'
import { ConfigurationError, TrustError } from '../errors/offload-error.js'
import { receiveItem } from '../local-store/receive-item.js'
import { storeFailure } from '../local-store/store-failure.js'
import { TemporaryItems } from '../local-store/temporary-items.js'
import type { BundleItem } from '../nar/bundle-reader.js'
import { atMachine } from '../remote-store/at-machine.js'
import type { RemoteStore } from '../remote-store/remote-store.js'
import type { Acl } from '../trust/acl.js'
import type { PublicKey } from '../trust/public-key.js'
import { verifySignature } from '../trust/signature.js'
import { retrievingItems } from './messages.js'
import type { LocalStore, OffloadPorts } from './ports.js'
import type { Transfer } from './task.js'

/** An output that is in place, and what it was accepted for. */
export interface Received {
  readonly item: BundleItem
  readonly key: PublicKey
}

export interface FetchedOutputs extends Transfer {
  readonly received: readonly Received[]
}

/**
 * Brings the outputs back and puts them in place for guix-daemon to register. All arrive under temporary names and are checked before the first
 * is renamed: either every output is in place or none.
 * @throws TrustError `unexpected-item`, `unsigned-item`, and those of {@link verifySignature}; ProtocolError
 */
export async function fetchOutputs(
  outputs: readonly string[],
  machine: string,
  remote: RemoteStore,
  local: LocalStore,
  ports: OffloadPorts,
): Promise<FetchedOutputs> {
  ports.log.info(retrievingItems(outputs.length, machine))
  const acl = await ports.loadAcl()
  const temporaries = new TemporaryItems(ports.storeDirectory, ports.stateDirectory, (path) => local.addTempRoot(path))
  try {
    const arrived: (Received & { readonly output: string; readonly temporary: string })[] = []
    let bytes = 0
    for (const output of outputs) {
      const temporary = await temporaries.create()
      const item = await fromMachine(machine, output, () => receiveItem(output, temporary, ports.storeDirectory, (onData) => remote.exportItem(output, onData)))
      const { key } = await check(item, output, machine, acl)
      arrived.push({ output, temporary, item, key })
      bytes += item.narSize
    }
    for (const { output, temporary } of arrived) {
      place(temporary, output)
      temporaries.renamed(temporary)
    }
    return { items: outputs.length, bytes, received: arrived.map(({ item, key }) => ({ item, key })) }
  } finally {
    temporaries.dispose()
  }
}

/** What is wrong with what came is the machine's; what went wrong in our own store is ours, and no other machine would help. */
export async function fromMachine<T>(machine: string, item: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof ConfigurationError ? error : atMachine(error, { machine, subject: item })
  }
}

/** The item is what was asked for and signed by a key of the acl. */
export async function check(item: BundleItem, asked: string, machine: string, acl: Acl): Promise<{ readonly key: PublicKey }> {
  const step = 'checking a store item'
  if (item.path !== asked) {
    throw new TrustError({
      code: 'unexpected-item', machine, step, problem: 'the machine sent another store item than the one asked for', expected: asked, seen: item.path,
    })
  }
  if (item.signature === undefined) {
    throw new TrustError({ code: 'unsigned-item', machine, step, subject: asked, problem: 'the item is not signed', expected: 'a signature by a key in the acl' })
  }
  return verifySignature(item.signature, item.hash, acl, { item: asked, machine })
}

function place(temporary: string, output: string): void {
  try {
    renameSync(temporary, output)
  } catch (error) {
    throw storeFailure('moving an output into place', Buffer.from(output), error)
  }
}
