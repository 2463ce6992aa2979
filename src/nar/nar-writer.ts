/**
 * Encoding of NAR archives, piece by piece and without I/O (the grammar is in nar-tokens.ts). The pieces of a tree are written in the order
 * of the grammar; for the root, {@link beginArchive}, the node, {@link endNode}; for each entry of a directory {@link beginEntry}, the node,
 * {@link endEntry}. Whoever calls sees to the ascending order of entries.
 */
import { encodeInteger, encodeString, padding } from '../wire/encode.js'
import * as word from './nar-tokens.js'

const PLAIN_FILE = Buffer.concat([word.REGULAR.bytes, word.CONTENTS.bytes])
const EXECUTABLE_FILE = Buffer.concat([word.REGULAR.bytes, word.EXECUTABLE.bytes, word.EXECUTABLE_CONTENTS.bytes])
const LINK = Buffer.concat([word.SYMLINK.bytes, word.TARGET.bytes])
const NAMED_ENTRY = Buffer.concat([word.ENTRY.bytes, word.ENTRY_NAME.bytes])

export const beginArchive: Buffer = word.BEGIN.bytes
export const endNode: Buffer = word.CLOSE.bytes
export const endEntry: Buffer = word.CLOSE_ENTRY.bytes
/** A directory node up to its entries. */
export const directoryHeader: Buffer = word.DIRECTORY.bytes

/** A file node up to its contents, which follow as `size` bytes and {@link contentsPadding}. */
export function fileHeader(executable: boolean, size: number): Buffer {
  return Buffer.concat([executable ? EXECUTABLE_FILE : PLAIN_FILE, encodeInteger(size)])
}

export const contentsPadding: (size: number) => Buffer = padding

export function symlinkNode(target: Uint8Array): Buffer {
  return Buffer.concat([LINK, encodeString(target)])
}

export function beginEntry(name: Uint8Array): Buffer {
  return Buffer.concat([NAMED_ENTRY, encodeString(name), word.ENTRY_NODE.bytes])
}
