import { ProtocolError } from '../errors/offload-error.js'
import type { ByteFeed, Decoding } from '../wire/byte-feed.js'
import { integer, string, zeroPadding } from '../wire/decode.js'
import { ceilings, frameTags } from './constants.js'

/**
 * The frames with which the daemon accompanies its work:
 *
 *     work  = *( NEXT bytes | WRITE bytes | READ n ) ( LAST | ERROR string [status] )
 *
 * NEXT and WRITE need no answer: their bytes go to a sink as they arrive, never gathered, so that a frame may be larger than memory. The grammar
 * stops at a frame that changes whose turn it is to speak.
 */
export type Turn =
  /** The daemon waits for at most `max` bytes. */
  | { readonly kind: 'read'; readonly max: number }
  /** The work is done; the reply follows. */
  | { readonly kind: 'last' }
  /** The request failed. */
  | { readonly kind: 'error'; readonly text: string; readonly status: number }

/** Takes pieces of frames; views of the chunks they came in. */
export interface FrameSink {
  log(piece: Buffer): void
  data(piece: Buffer): void
}

export function* turn(feed: ByteFeed, sink: FrameSink): Decoding<Turn> {
  for (;;) {
    const tag = yield* integer(feed, Number.MAX_SAFE_INTEGER, 'frame tag')
    switch (tag) {
      case frameTags.next:
        yield* pieces(feed, (piece) => sink.log(piece))
        break
      case frameTags.write:
        yield* pieces(feed, (piece) => sink.data(piece))
        break
      case frameTags.read: {
        const max = yield* integer(feed, Number.MAX_SAFE_INTEGER, 'length asked for')
        if (max === 0) throw feed.fail('the daemon asks for no bytes at all')
        return { kind: 'read', max: Math.min(max, ceilings.readAnswer) }
      }
      case frameTags.last:
        return { kind: 'last' }
      case frameTags.error: {
        const text = yield* string(feed, ceilings.errorText, 'error text')
        return { kind: 'error', text, status: yield* statusOrEnd(feed) }
      }
      default:
        throw feed.fail('unknown frame', { seen: `0x${tag.toString(16)}` })
    }
  }
}

/** A string, passed on piece by piece. */
function* pieces(feed: ByteFeed, pass: (piece: Buffer) => void): Decoding<void> {
  const length = yield* integer(feed, ceilings.frame, 'length of a frame')
  for (let left = length; left > 0;) {
    if (feed.available === 0) yield* feed.need(1)
    const piece = feed.takeSome(left)
    left -= piece.length
    pass(piece)
  }
  yield* zeroPadding(feed, length)
}

/** A daemon that fails early, for instance on the database's version, sends no status but hangs up. */
function* statusOrEnd(feed: ByteFeed): Decoding<number> {
  try {
    return yield* integer(feed, 0xffff_ffff, 'status')
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'truncated-data') return 1
    throw error
  }
}
