/**
 * The words of the NAR format, encoded once. The grammar, every word and name a wire string:
 *
 *   archive   = "nix-archive-1" node
 *   node      = "(" "type" ( regular | symlink | directory ) ")"
 *   regular   = "regular" [ "executable" "" ] "contents" BYTES
 *   symlink   = "symlink" "target" BYTES
 *   directory = "directory" { "entry" "(" "name" BYTES "node" node ")" }     names in strictly ascending byte order
 */
import { encodeString } from '../wire/encode.js'

const words = (...values: string[]): Buffer => Buffer.concat(values.map((value) => encodeString(value)))

/** One word, or a run of words that never occur apart. `text` is for messages. */
export interface Token {
  readonly text: string
  readonly bytes: Buffer
}

const token = (...values: string[]): Token => ({ text: values.map((value) => `"${value}"`).join(' '), bytes: words(...values) })

export const BEGIN = token('nix-archive-1', '(', 'type')
export const REGULAR = token('regular')
export const EXECUTABLE = token('executable')
export const EXECUTABLE_CONTENTS = token('', 'contents')
export const CONTENTS = token('contents')
export const SYMLINK = token('symlink')
export const TARGET = token('target')
export const DIRECTORY = token('directory')
export const ENTRY = token('entry')
export const ENTRY_NAME = token('(', 'name')
export const ENTRY_NODE = token('node', '(', 'type')
export const CLOSE = token(')')
/** Ends a node and the entry it belongs to. */
export const CLOSE_ENTRY = token(')', ')')
