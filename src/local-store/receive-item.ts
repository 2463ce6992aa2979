import { memberGrammar, type BundleItem } from '../nar/bundle-reader.js'
import { Decoder } from '../wire/byte-feed.js'
import { restoreTo } from './restore.js'

/** Streams bytes, waiting while the consumer is busy. */
export type Export = (onData: (bytes: Uint8Array) => void) => Promise<void>

/**
 * Takes one bundle member straight from the wire to the disk, hashing it on the way: nothing but the chunk at hand is held in memory. The
 * result is not to be trusted before its signature is checked; `target` is left as it is on failure.
 * @throws ProtocolError, and what the export throws
 */
export async function receiveItem(what: string, target: string, storeDirectory: string, exporting: Export): Promise<BundleItem> {
  const restoration = restoreTo(target)
  const sink = { begin: () => restoration, item: () => undefined }
  const decoder = new Decoder(what, (feed) => memberGrammar(feed, sink, storeDirectory))
  try {
    await exporting((bytes) => {
      decoder.push(bytes)
    })
    const item = decoder.end()
    if (decoder.feed.available > 0) throw decoder.feed.fail('data after the end of the item')
    return item
  } finally {
    restoration.abandon()
  }
}
