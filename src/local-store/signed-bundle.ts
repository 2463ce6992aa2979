import { encodeBundle, type OutgoingItem } from '../nar/bundle-writer.js'
import type { Consumer } from '../protocol/consumer.js'
import type { Signer } from '../trust/signer.js'
import { encodeBoolean } from '../wire/encode.js'
import { parseStorePath } from '../wire/store-path.js'
import { dumpNar } from './dump.js'
import { inReferenceOrder, type LocalItem } from './missing-items.js'
import { pulled } from './pulled.js'

/** Where the signing key cannot be read: the local daemon signs, one item at a time. */
export type ExportSigned = (path: string, onData: Consumer) => Promise<void>

/**
 * Streams local items as one signed bundle, references first. Read from the store as it is asked for: memory does not grow with the items.
 * @param signer native, and faster; undefined: `exportSigned` is used
 */
export function signedBundle(
  items: readonly LocalItem[],
  storeDirectory: string,
  signer: Signer | undefined,
  exportSigned: ExportSigned,
): AsyncIterable<Buffer> {
  const ordered = inReferenceOrder(items)
  if (signer === undefined) return signedByDaemon(ordered, exportSigned)
  const outgoing = function* (): Generator<OutgoingItem> {
    for (const { path, info } of ordered) {
      yield {
        path: parseStorePath(path, storeDirectory),
        // The daemon exports them sorted; the signature is over them in whatever order they are sent.
        references: info.references.map((reference) => parseStorePath(reference, storeDirectory)),
        deriver: info.deriver === '' ? undefined : parseStorePath(info.deriver, storeDirectory),
        nar: dumpNar(path),
      }
    }
  }
  return encodeBundle(outgoing(), async (hash) => (await signer.sign(hash)).toString('latin1'))
}

async function* signedByDaemon(items: readonly LocalItem[], exportSigned: ExportSigned): AsyncGenerator<Buffer> {
  for (const { path } of items) {
    yield encodeBoolean(true)
    yield* pulled((onData) => exportSigned(path, onData))
  }
  yield encodeBoolean(false)
}
