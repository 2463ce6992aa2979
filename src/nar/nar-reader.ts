/**
 * Strict streaming reader of NAR archives (the grammar is in nar-tokens.ts).
 *
 * Invariants: accepts exactly one encoding of every tree, so what was accepted and written again is the same bytes; a name that is reported is
 * never empty, `.` or `..`, has no slash and no zero byte, and names of one directory ascend, so none comes twice: a sink that joins them
 * to a path stays below its root. Memory does not grow with the archive but for one name per open directory. Depth costs no stack: nesting is
 * a counter, not recursion.
 */
import type { ByteFeed, Decoding } from '../wire/byte-feed.js'
import { bytes, integer, zeroPadding } from '../wire/decode.js'
import { paddingLength } from '../wire/encode.js'
import { printable } from '../wire/printable.js'
import type { NarSink } from './nar-sink.js'
import * as word from './nar-tokens.js'
import type { Token } from './nar-tokens.js'

/** Linux's NAME_MAX. */
export const MAX_NAME_LENGTH = 255
/** Linux's PATH_MAX less the terminating zero. */
export const MAX_TARGET_LENGTH = 4095
/** What fits into PATH_MAX with names of one byte. */
export const MAX_DEPTH = 2048
export const MAX_FILE_SIZE = Number.MAX_SAFE_INTEGER
/** `executable`, the longest word at a place where words are told apart. */
const MAX_WORD_LENGTH = 10

const NODE_TYPES = [word.REGULAR, word.DIRECTORY, word.SYMLINK]
const FILE_FIELDS = [word.CONTENTS, word.EXECUTABLE]
const ENTRY_OR_END = [word.ENTRY, word.CLOSE]
const ROOT_NAME: Buffer = Buffer.alloc(0)
const SLASH = 0x2f
const DOT = 0x2e

/** A run of words that must come next. */
function* expect(feed: ByteFeed, { text, bytes: wanted }: Token): Decoding<void> {
  if (feed.available < wanted.length) yield* feed.need(wanted.length)
  const seen = feed.take(wanted.length)
  if (wanted.compare(seen) !== 0) throw feed.fail('not the archive format', { expected: text, seen: printable(seen) })
}

/** The word that comes next, one of a few. */
function* choose(feed: ByteFeed, choices: readonly Token[]): Decoding<Token> {
  const length = yield* integer(feed, MAX_WORD_LENGTH, 'length of a word')
  const whole = length + paddingLength(length)
  if (feed.available < whole) yield* feed.need(whole)
  const seen = feed.take(whole)
  for (const choice of choices) {
    if (choice.bytes.length === 8 + whole && choice.bytes[0] === length && seen.compare(choice.bytes, 8) === 0) return choice
  }
  throw feed.fail('not the archive format', { expected: choices.map(({ text }) => text).join(' or '), seen: printable(seen) })
}

function* entryName(feed: ByteFeed, previous: Buffer): Decoding<Buffer> {
  const name = yield* bytes(feed, MAX_NAME_LENGTH, 'an entry\'s name')
  if (name.length === 0) throw feed.fail('an entry with an empty name')
  if (name.includes(0)) throw feed.fail('an entry whose name has a zero byte', { seen: printable(name) })
  if (name.includes(SLASH)) throw feed.fail('an entry whose name has a slash', { seen: printable(name) })
  if (name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT))) {
    throw feed.fail('an entry that names its directory or the one above', { seen: printable(name) })
  }
  const order = previous.compare(name)
  if (order === 0) throw feed.fail('an entry that comes twice', { seen: printable(name) })
  if (order > 0) throw feed.fail('entries out of order', { expected: `a name after ${printable(previous)}`, seen: printable(name) })
  return name
}

function* regular(feed: ByteFeed, sink: NarSink, name: Buffer): Decoding<void> {
  const executable = (yield* choose(feed, FILE_FIELDS)) === word.EXECUTABLE
  if (executable) yield* expect(feed, word.EXECUTABLE_CONTENTS)
  const size = yield* integer(feed, MAX_FILE_SIZE, 'size of a file')
  sink.file(name, executable, size)
  for (let left = size; left > 0;) {
    if (feed.available === 0) yield* feed.need(1)
    const chunk = feed.takeSome(left)
    left -= chunk.length
    sink.data(chunk)
  }
  yield* zeroPadding(feed, size)
  sink.endFile()
}

function* symlink(feed: ByteFeed, sink: NarSink, name: Buffer): Decoding<void> {
  yield* expect(feed, word.TARGET)
  const target = yield* bytes(feed, MAX_TARGET_LENGTH, 'a symbolic link\'s target')
  if (target.length === 0) throw feed.fail('a symbolic link with an empty target')
  if (target.includes(0)) throw feed.fail('a symbolic link whose target has a zero byte', { seen: printable(target) })
  sink.symlink(name, target)
}

/** Reads one archive and tells the sink; ends right after its last byte. */
export function* narGrammar(feed: ByteFeed, sink: NarSink): Decoding<void> {
  yield* expect(feed, word.BEGIN)
  /** The last name read in each open directory. */
  const open: Buffer[] = []
  let name = ROOT_NAME
  for (;;) {
    const type = yield* choose(feed, NODE_TYPES)
    if (type === word.DIRECTORY) {
      if (open.length === MAX_DEPTH) throw feed.fail('directories nested too deeply', { expected: `at most ${MAX_DEPTH}` })
      sink.directory(name)
      open.push(ROOT_NAME)
    } else {
      if (type === word.REGULAR) yield* regular(feed, sink, name)
      else yield* symlink(feed, sink, name)
      yield* expect(feed, open.length === 0 ? word.CLOSE : word.CLOSE_ENTRY)
    }
    while (open.length > 0 && (yield* choose(feed, ENTRY_OR_END)) === word.CLOSE) {
      sink.endDirectory()
      open.pop()
      if (open.length > 0) yield* expect(feed, word.CLOSE)
    }
    const previous = open.at(-1)
    if (previous === undefined) return
    yield* expect(feed, word.ENTRY_NAME)
    name = yield* entryName(feed, previous)
    open[open.length - 1] = name
    yield* expect(feed, word.ENTRY_NODE)
  }
}
