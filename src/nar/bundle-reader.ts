/**
 * Reader of bundles ("nar sets"), what `guix archive --export` writes and ExportPath sends:
 *
 *   bundle = { 1 member } 0
 *   member = NAR 0x4558494e PATH REFERENCES DERIVER ( 1 SIGNATURE | 0 )
 *
 * The signature is over the SHA-256 of the member from the NAR's first byte up to and including the deriver; an item's name is known only
 * after its contents. Nothing is trusted here: whoever gets an item checks its signature against its hash.
 */
import { createHash } from 'node:crypto'
import type { ByteFeed, Decoding } from '../wire/byte-feed.js'
import { boolean, bytes, integer, string } from '../wire/decode.js'
import { DEFAULT_STORE_DIRECTORY, parseStorePath } from '../wire/store-path.js'
import type { StorePath } from '../wire/store-path.js'
import { narGrammar } from './nar-reader.js'
import type { NarSink } from './nar-sink.js'

export const MEMBER_MAGIC = 0x4558494e
export const MAX_REFERENCES = 100_000
export const MAX_PATH_LENGTH = 4095
/** An Ed25519 signature takes half a KiB, one by a 16384-bit RSA key some 10. */
export const MAX_SIGNATURE_LENGTH = 64 * 1024

/** What a bundle says of an item besides its contents. */
export interface ItemDescription {
  readonly path: StorePath
  readonly references: readonly StorePath[]
  readonly deriver: StorePath | undefined
}

export interface BundleItem extends ItemDescription {
  /** SHA-256 of the signed part, as computed from the bytes read. */
  readonly hash: Buffer
  /** SHA-256 of the NAR alone: what guix-daemon records. */
  readonly narHash: Buffer
  readonly narSize: number
  /** An s-expression in Latin-1; undefined for an unsigned item. */
  readonly signature: string | undefined
}

export interface BundleSink {
  /** A member begins; its contents go to the sink returned. */
  begin(): NarSink
  /** The member is complete, its contents included. */
  item(item: BundleItem): void
}

const optionalStorePath = (text: string, storeDirectory: string, step: string): StorePath | undefined =>
  text === '' ? undefined : parseStorePath(text, storeDirectory, step)

function* description(feed: ByteFeed, storeDirectory: string): Decoding<ItemDescription> {
  const step = `reading ${feed.what}`
  const path = parseStorePath(yield* string(feed, MAX_PATH_LENGTH, 'a store path'), storeDirectory, step)
  const count = yield* integer(feed, MAX_REFERENCES, 'number of references')
  const references: StorePath[] = []
  for (let index = 0; index < count; index += 1) {
    references.push(parseStorePath(yield* string(feed, MAX_PATH_LENGTH, 'a reference'), storeDirectory, step))
  }
  const deriver = optionalStorePath(yield* string(feed, MAX_PATH_LENGTH, 'a deriver'), storeDirectory, step)
  return { path, references, deriver }
}

/** One member without the integer before it, as ExportPath sends it. Uses the feed's `onConsumed`. */
export function* memberGrammar(feed: ByteFeed, sink: BundleSink, storeDirectory: string = DEFAULT_STORE_DIRECTORY): Decoding<BundleItem> {
  const hash = createHash('sha256')
  const start = feed.offset
  feed.onConsumed = (run) => {
    hash.update(run)
  }
  yield* narGrammar(feed, sink.begin())
  feed.reportConsumed()
  const narHash = hash.copy().digest()
  const narSize = feed.offset - start
  const magic = yield* integer(feed, Number.MAX_SAFE_INTEGER, 'mark after the archive')
  if (magic !== MEMBER_MAGIC) throw feed.fail('not a bundle', { expected: `the mark ${MEMBER_MAGIC} after the archive`, seen: `${magic}` })
  const described = yield* description(feed, storeDirectory)
  feed.onConsumed = undefined
  const signature = (yield* boolean(feed)) ? (yield* bytes(feed, MAX_SIGNATURE_LENGTH, 'a signature')).toString('latin1') : undefined
  const item: BundleItem = { ...described, hash: hash.digest(), narHash, narSize, signature }
  sink.item(item)
  return item
}

/** A whole bundle. Returns the number of its items. */
export function* bundleGrammar(feed: ByteFeed, sink: BundleSink, storeDirectory: string = DEFAULT_STORE_DIRECTORY): Decoding<number> {
  for (let count = 0; ; count += 1) {
    if (!(yield* boolean(feed))) return count
    yield* memberGrammar(feed, sink, storeDirectory)
  }
}
