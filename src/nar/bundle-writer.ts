/** Writer of bundles; the format is in bundle-reader.ts. */
import { createHash } from 'node:crypto'
import { coalesce } from '../wire/coalesce.js'
import { encodeBoolean, encodeInteger, encodeString, encodeStringList } from '../wire/encode.js'
import { MEMBER_MAGIC } from './bundle-reader.js'
import type { ItemDescription } from './bundle-reader.js'

export interface OutgoingItem extends ItemDescription {
  /** The item's NAR. Chunks are passed on, not copied: the buffers must be fresh. */
  readonly nar: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/** Makes the signature of a SHA-256: an s-expression, Latin-1. */
export type Sign = (hash: Buffer) => string | Promise<string>

type Pieces = AsyncGenerator<Buffer, void, void>

async function* memberPieces(item: OutgoingItem, sign: Sign | undefined): Pieces {
  const hash = sign === undefined ? undefined : createHash('sha256')
  for await (const chunk of item.nar) {
    hash?.update(chunk)
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  }
  const description = Buffer.concat([
    encodeInteger(MEMBER_MAGIC),
    encodeString(item.path),
    encodeStringList(item.references),
    encodeString(item.deriver ?? ''),
  ])
  yield description
  if (sign === undefined || hash === undefined) {
    yield encodeBoolean(false)
  } else {
    const signature = await sign(hash.update(description).digest())
    yield Buffer.concat([encodeBoolean(true), encodeString(Buffer.from(signature, 'latin1'))])
  }
}

async function* bundlePieces(items: Iterable<OutgoingItem> | AsyncIterable<OutgoingItem>, sign: Sign | undefined): Pieces {
  for await (const item of items) {
    yield encodeBoolean(true)
    yield* memberPieces(item, sign)
  }
  yield encodeBoolean(false)
}

/** One member without the integer before it, as ExportPath sends it; unsigned without `sign`. */
export function encodeMember(item: OutgoingItem, sign?: Sign): AsyncGenerator<Buffer, void, void> {
  return coalesce(memberPieces(item, sign))
}

/** A whole bundle, what `guix archive --import` and ImportPaths read. References must come before what refers to them: see to the order. */
export function encodeBundle(items: Iterable<OutgoingItem> | AsyncIterable<OutgoingItem>, sign?: Sign): AsyncGenerator<Buffer, void, void> {
  return coalesce(bundlePieces(items, sign))
}
