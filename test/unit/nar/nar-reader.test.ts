import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtocolError } from '../../../src/errors/offload-error.js'
import { MAX_DEPTH, narGrammar } from '../../../src/nar/nar-reader.js'
import { discardingSink } from '../../../src/nar/nar-sink.js'
import { Decoder } from '../../../src/wire/byte-feed.js'
import { decodeAll, decodeBytewise, decodeEverySplit } from '../../support/decode-all.js'
import { anyMutation } from '../../support/mutate.js'
import { anyTree, directory, encodeTree, file, link, treeSink } from '../../support/tree.js'
import type { Tree } from '../../support/tree.js'
import { wire } from '../../support/wire-builder.js'

function readTree(bytes: Uint8Array, decode: typeof decodeAll = decodeAll): Tree {
  const { sink, tree } = treeSink()
  decode((feed) => narGrammar(feed, sink), bytes)
  return tree()
}

const awkward = directory(
  ['...', file('three dots are a name')],
  ['a', directory(['z', file('12345678')])],
  ['a-b', file('', true)],
  ['bin', directory(['run', file('#!/bin/sh\n', true)])],
  ['dangling', link('nowhere')],
  ['empty', directory()],
  [Buffer.from([0xff, 0xfe]), link(Buffer.from([0x80]))],
)

describe('a NAR reader', () => {
  test.each<[string, Tree]>([
    ['a file', file('contents')],
    ['an empty file', file('')],
    ['an executable', file('x', true)],
    ['a symbolic link', link('/gnu/store')],
    ['a link with the longest target', link('x'.repeat(4095))],
    ['an empty directory', directory()],
    ['a directory with the longest name', directory(['x'.repeat(255), file('')])],
    ['an awkward tree', awkward],
  ])('reads %s, split at every boundary', (_, tree) => {
    const bytes = encodeTree(tree)
    expect(readTree(bytes)).toEqual(tree)
    expect(readTree(bytes, decodeBytewise)).toEqual(tree)
    for (let at = 0; at <= Math.min(bytes.length, 600); at += 1) {
      const { sink, tree: gathered } = treeSink()
      const decoder = new Decoder('a test', (feed) => narGrammar(feed, sink))
      decoder.push(Buffer.from(bytes.subarray(0, at)))
      decoder.push(Buffer.from(bytes.subarray(at)))
      decoder.end()
      expect(encodeTree(gathered()).equals(bytes)).toBe(true)
    }
  })

  test('reads any tree', () => {
    fc.assert(fc.property(anyTree, (tree) => {
      expect(readTree(encodeTree(tree))).toEqual(tree)
    }), { numRuns: 300 })
  })

  test('ends right after the archive', () => {
    const decoder = new Decoder('a test', (feed) => narGrammar(feed, discardingSink))
    expect(decoder.push(Buffer.concat([encodeTree(awkward), Buffer.from('more')]))).toBe(true)
    expect(decoder.feed.available).toBe(4)
  })

  test('hands contents on without copying', () => {
    const chunks: Buffer[] = []
    const bytes = encodeTree(file(Buffer.alloc(1000, 7)))
    decodeAll((feed) => narGrammar(feed, { ...discardingSink, data: (chunk) => chunks.push(chunk) }), bytes)
    expect(chunks).toHaveLength(1)
    expect(chunks[0]).toHaveLength(1000)
  })

  test('reads directories as deep as a path can be', () => {
    let tree: Tree = directory()
    for (let depth = 1; depth < MAX_DEPTH; depth += 1) tree = directory(['d', tree])
    let depth = 0
    decodeAll((feed) => narGrammar(feed, { ...discardingSink, directory: () => (depth += 1) }), encodeTree(tree))
    expect(depth).toBe(MAX_DEPTH)
  })
})

describe('a NAR reader refuses', () => {
  const entry = (name: string | Uint8Array) => encodeTree(directory([name, file('')]))
  const regular = () => wire().strs('nix-archive-1', '(', 'type', 'regular')
  const unnamed = () => wire().strs('nix-archive-1', '(', 'type', 'directory', 'entry', '(', 'name')

  test.each<[string, Buffer, RegExp]>([
    ['an entry named ..', entry('..'), /names its directory or the one above/],
    ['an entry named .', entry('.'), /names its directory or the one above/],
    ['an entry without a name', entry(''), /an empty name/],
    ['a slash in a name', entry('a/b'), /has a slash/],
    ['a name that is a slash', entry('/'), /has a slash/],
    ['a zero byte in a name', entry('a\0b'), /has a zero byte/],
    ['entries out of order', encodeTree(directory(['b', file('')], ['a', file('')])),
      /out of order at byte 328 \(expected a name after "b", seen "a"\)/],
    ['entries in the order of signed bytes', encodeTree(directory([Buffer.from([0x80]), file('')], ['a', file('')])), /out of order/],
    ['an entry that comes twice', encodeTree(directory(['a', link('/etc')], ['a', directory(['passwd', file('')])])), /comes twice/],
    ['a name of 256 bytes', entry('x'.repeat(256)), /name out of range.*at most 255, seen 256/],
    ['a target of 4096 bytes', encodeTree(link('x'.repeat(4096))), /target out of range.*at most 4095, seen 4096/],
    ['an empty target', encodeTree(link('')), /an empty target/],
    ['a zero byte in a target', encodeTree(link('a\0b')), /has a zero byte/],
    ['a file of 2^63 bytes', regular().str('contents').int(2n ** 63n).build(), /size of a file out of range/],
    ['a file of 2^64-1 bytes', regular().str('contents').int(2n ** 64n - 1n).build(), /size of a file out of range/],
    ['a name of 2^63 bytes', unnamed().int(2n ** 63n).raw(Buffer.alloc(64)).build(), /name out of range/],
    ['a word of 2^63 bytes', wire().strs('nix-archive-1', '(', 'type').int(2n ** 63n).build(), /length of a word out of range/],
    ['padding of contents that is not zero', regular().str('contents').str('abc', 1).str(')').build(), /padding that is not zero/],
    ['padding of a name that is not zero', unnamed().str('a', 1).build(), /padding that is not zero/],
    ['padding of a word that is not zero', wire().strs('nix-archive-1', '(', 'type').str('regular', 1).build(),
      /expected "regular" or "directory" or "symlink"/],
    ['another version', wire().strs('nix-archive-2', '(', 'type', 'regular', 'contents', '', ')').build(), /not the archive format/],
    ['text', Buffer.from('guix archive: error: build of `/gnu/store/…\' failed, and more'),
      /not the archive format/],
    ['another type', wire().strs('nix-archive-1', '(', 'type', 'fifo').build(), /expected "regular" or "directory" or "symlink", seen "fifo/],
    ['a second type', wire().strs('nix-archive-1', '(', 'type', 'regular', 'type', 'directory').build(), /expected "contents" or "executable"/],
    ['contents that come twice', regular().strs('contents', '', 'contents', '').build(), /expected "\)"/],
    ['a file without contents', regular().str(')').build(), /expected "contents" or "executable"/],
    ['an executable that says more than it is', regular().strs('executable', 'very', 'contents', '', ')').build(), /not the archive format/],
    ['an entry without a node', unnamed().strs('a', ')', ')', ')').build(), /expected "node" "\(" "type"/],
    ['a node before its name', wire().strs('nix-archive-1', '(', 'type', 'directory', 'entry', '(', 'node').build(), /expected "\(" "name"/],
  ])('%s', (_, bytes, problem) => {
    expect(() => readTree(bytes)).toThrow(ProtocolError)
    expect(() => readTree(bytes)).toThrow(problem)
    expect(() => readTree(bytes, decodeBytewise)).toThrow(problem)
  })

  test('a depth bomb, without using up the stack', () => {
    const level = wire().strs('directory', 'entry', '(', 'name', 'd', 'node', '(', 'type').build()
    const decoder = new Decoder('a test', (feed) => narGrammar(feed, discardingSink))
    decoder.push(wire().strs('nix-archive-1', '(', 'type').build())
    expect(() => {
      for (let depth = 0; depth < 100_000; depth += 1) decoder.push(level)
    }).toThrow(/nested too deeply/)
  })

  test('an archive that is cut short, wherever', () => {
    const bytes = encodeTree(awkward)
    for (let length = 0; length < bytes.length; length += 1) expect(() => readTree(bytes.subarray(0, length))).toThrow(/the data ends at byte/)
  })

  test('anything after its first error', () => {
    const decoder = new Decoder('a test', (feed) => narGrammar(feed, discardingSink))
    expect(() => decoder.push(entry('..'))).toThrow(/the one above/)
    expect(() => decoder.push(encodeTree(awkward))).toThrow(/the one above/)
    expect(() => decoder.end()).toThrow(/the one above/)
  })

  test('damage with a protocol error, or reads another lawful archive', () => {
    const original = encodeTree(awkward)
    fc.assert(fc.property(fc.array(anyMutation, { minLength: 1, maxLength: 3 }), (mutations) => {
      const damaged = mutations.reduce((bytes, mutate) => mutate(bytes), original)
      let tree: Tree
      try {
        tree = readTree(damaged)
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
        return
      }
      // One encoding for every tree: what was accepted is what would be written.
      const canonical = encodeTree(tree)
      expect(damaged.subarray(0, canonical.length).equals(canonical)).toBe(true)
    }), { numRuns: 2000 })
  })

  test('absurd lengths without allocating them', () => {
    const before = process.memoryUsage().rss
    for (let index = 0; index < 50; index += 1) {
      const decoder = new Decoder('a test', (feed) => narGrammar(feed, discardingSink))
      decoder.push(regular().str('contents').int(Number.MAX_SAFE_INTEGER).raw(Buffer.alloc(1024)).build())
      expect(() => decoder.end()).toThrow(/ends at byte/)
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
  })
})

test('decoding at every split goes through every split', () => {
  const bytes = encodeTree(file('x'))
  expect([...decodeEverySplit(() => (feed) => narGrammar(feed, discardingSink), bytes)]).toHaveLength(bytes.length + 1)
})
