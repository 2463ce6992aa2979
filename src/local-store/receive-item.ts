import { memberGrammar, type BundleItem } from '../nar/bundle-reader.js'
import { Decoder } from '../wire/byte-feed.js'
import { restoreTo } from './restore.js'

/** Streams bytes, waiting while the consumer is busy. */
export type Export = (onData: (bytes: Uint8Array) => void) => Promise<void>

/**
 * Takes one bundle member straight from the wire to the disk, hashing it on the way: nothing but the chunk at hand is held in memory. The
 * result is not to be trusted before its signature is checked; `target` is left as it is on failure.
 * @param item store path of what was asked for, for messages
 * @throws ProtocolError, and what the export throws
 */
export async function receiveItem(item: string, target: string, storeDirectory: string, exporting: Export): Promise<BundleItem> {
  const restoration = restoreTo(target, item)
  const sink = { begin: () => restoration, item: () => undefined }
  const decoder = new Decoder('an archive', (feed) => memberGrammar(feed, sink, storeDirectory))
  try {
    await exporting((bytes) => {
      decoder.push(bytes)
    })
    const received = decoder.end()
    if (decoder.feed.available > 0) throw decoder.feed.fail('data after the end of the item')
    return received
  } finally {
    restoration.abandon()
  }
}
