import type { ByteFeed, Decoding } from '../wire/byte-feed.js'
import { boolean, integer, string, stringList } from '../wire/decode.js'
import { ceilings, daemonMagic } from './constants.js'

/** What follows the LAST frame of each request, as grammars. */

export interface PathInfo {
  /** Empty if the item has none or it is not known. */
  readonly deriver: string
  /** SHA-256 of the archive, in hexadecimal. */
  readonly narHash: string
  readonly references: readonly string[]
  /** Seconds since the epoch. */
  readonly registrationTime: number
  /** Bytes. */
  readonly narSize: number
}

/** The daemon's half of the greeting: its protocol version. */
export function* daemonGreeting(feed: ByteFeed): Decoding<number> {
  const magic = yield* integer(feed, Number.MAX_SAFE_INTEGER, 'greeting')
  if (magic !== daemonMagic) throw feed.fail('not the greeting of a guix-daemon', { expected: hex(daemonMagic), seen: hex(magic) })
  return yield* integer(feed, 0xffff_ffff, 'protocol version')
}

/** For requests that are answered by their LAST frame alone. */
export function* nothing(): Decoding<void> {
  return
}

/** The 1 that says no more than that it is done. */
export function* one(feed: ByteFeed): Decoding<void> {
  const value = yield* integer(feed, Number.MAX_SAFE_INTEGER, 'reply')
  if (value !== 1) throw feed.fail('unexpected reply', { expected: '1', seen: String(value) })
}

export function* truth(feed: ByteFeed): Decoding<boolean> {
  return yield* boolean(feed)
}

export function* path(feed: ByteFeed): Decoding<string> {
  return yield* string(feed, ceilings.path, 'store path')
}

export function* paths(feed: ByteFeed): Decoding<string[]> {
  return yield* stringList(feed, ceilings.paths, ceilings.path, 'store paths')
}

export function* pathInfo(feed: ByteFeed): Decoding<PathInfo> {
  const deriver = yield* string(feed, ceilings.path, 'deriver')
  const narHash = yield* string(feed, ceilings.path, 'hash')
  if (!/^[0-9a-f]{64}$/.test(narHash)) throw feed.fail('not a SHA-256 hash in hexadecimal', { seen: JSON.stringify(narHash) })
  const references = yield* stringList(feed, ceilings.paths, ceilings.path, 'references')
  const registrationTime = yield* integer(feed, Number.MAX_SAFE_INTEGER, 'registration time')
  const narSize = yield* integer(feed, Number.MAX_SAFE_INTEGER, 'archive size')
  return { deriver, narHash, references, registrationTime, narSize }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}
