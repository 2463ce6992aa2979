import { Decoder } from '../../src/wire/byte-feed.js'
import type { ByteFeed, Decoding } from '../../src/wire/byte-feed.js'

type Grammar<T> = (feed: ByteFeed) => Decoding<T>

/** Decodes bytes that come in the given pieces, each in memory of its own. */
export function decodePieces<T>(grammar: Grammar<T>, pieces: readonly Uint8Array[]): T {
  const decoder = new Decoder('a test', grammar)
  for (const piece of pieces) decoder.push(Buffer.from(piece))
  return decoder.end()
}

export const decodeAll = <T>(grammar: Grammar<T>, bytes: Uint8Array): T => decodePieces(grammar, [bytes])

export const decodeBytewise = <T>(grammar: Grammar<T>, bytes: Uint8Array): T =>
  decodePieces(grammar, Array.from(bytes, (byte) => Uint8Array.of(byte)))

/** Decodes the bytes once for every place where they can be cut in two. */
export function* decodeEverySplit<T>(grammar: () => Grammar<T>, bytes: Uint8Array): Generator<T, void, void> {
  for (let at = 0; at <= bytes.length; at += 1) yield decodePieces(grammar(), [bytes.subarray(0, at), bytes.subarray(at)])
}
