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

/**
 * Cuts the bytes at every place, and decodes them once for each.
 * @param apart with more bytes than that, one decoding has several cuts, that far apart: the time would else grow with the square of the length
 */
export function* decodeEverySplit<T>(grammar: () => Grammar<T>, bytes: Uint8Array, apart = 2048): Generator<T, void, void> {
  for (let first = 0; first <= Math.min(apart - 1, bytes.length); first += 1) {
    const pieces = [bytes.subarray(0, first)]
    for (let at = first; at < bytes.length; at += apart) pieces.push(bytes.subarray(at, at + apart))
    yield decodePieces(grammar(), pieces)
  }
}
