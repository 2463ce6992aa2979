import type { ByteFeed, Decoding } from './byte-feed.js'
import { paddingLength } from './encode.js'

/** Decoding of the wire primitives; the counterpart of `encode.ts`. Each takes the largest value it will accept. */
export function* integer(feed: ByteFeed, max: number = Number.MAX_SAFE_INTEGER, noun = 'integer'): Decoding<number> {
  yield* feed.need(8)
  const value = feed.take(8).readBigUInt64LE()
  if (value > BigInt(max)) throw feed.fail(`${noun} out of range`, { expected: `at most ${max}`, seen: value.toString() })
  return Number(value)
}

/** Accepts 0 and 1 only. */
export function* boolean(feed: ByteFeed): Decoding<boolean> {
  return (yield* integer(feed, 1, 'boolean')) === 1
}

export function* zeroPadding(feed: ByteFeed, length: number): Decoding<void> {
  const count = paddingLength(length)
  if (count === 0) return
  yield* feed.need(count)
  if (feed.take(count).some((byte) => byte !== 0)) throw feed.fail('padding that is not zero')
}

/** A byte string of at most `max` bytes, held in memory. */
export function* bytes(feed: ByteFeed, max: number, noun = 'string'): Decoding<Buffer> {
  const length = yield* integer(feed, max, `length of ${noun}`)
  yield* feed.need(length)
  // Copied: the bytes may outlive the chunk they came in.
  const value = Buffer.from(feed.take(length))
  yield* zeroPadding(feed, length)
  return value
}

/** Like {@link bytes}, decoded as UTF-8. */
export function* string(feed: ByteFeed, max: number, noun = 'string'): Decoding<string> {
  return (yield* bytes(feed, max, noun)).toString('utf8')
}

export function* stringList(feed: ByteFeed, maxCount: number, maxLength: number, noun = 'list'): Decoding<string[]> {
  const count = yield* integer(feed, maxCount, `count of ${noun}`)
  const values: string[] = []
  for (let index = 0; index < count; index += 1) values.push(yield* string(feed, maxLength, noun))
  return values
}
