import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtocolError } from '../../../src/errors/offload-error.js'
import { bundleGrammar, memberGrammar } from '../../../src/nar/bundle-reader.js'
import type { BundleItem, BundleSink } from '../../../src/nar/bundle-reader.js'
import { encodeBundle, encodeMember } from '../../../src/nar/bundle-writer.js'
import type { OutgoingItem } from '../../../src/nar/bundle-writer.js'
import { discardingSink } from '../../../src/nar/nar-sink.js'
import { Decoder } from '../../../src/wire/byte-feed.js'
import { parseStorePath } from '../../../src/wire/store-path.js'
import { decodeAll, decodeBytewise, decodeEverySplit } from '../../support/decode-all.js'
import { anyMutation } from '../../support/mutate.js'
import { anyTree, directory, encodeTree, file, treeSink } from '../../support/tree.js'
import type { Tree } from '../../support/tree.js'
import { wire } from '../../support/wire-builder.js'

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
const storePath = (name: string) => parseStorePath(`/gnu/store/b9hqkv5q3idxq7sncsn2wa3zn0ig9csb-${name}`)

interface Read {
  readonly items: BundleItem[]
  readonly trees: Tree[]
}

function reading(): { readonly read: Read; readonly sink: BundleSink } {
  const read: Read = { items: [], trees: [] }
  let tree: (() => Tree) | undefined
  return {
    read,
    sink: {
      begin() {
        const gatherer = treeSink()
        tree = gatherer.tree
        return gatherer.sink
      },
      item(item) {
        read.items.push(item)
        if (tree !== undefined) read.trees.push(tree())
      },
    },
  }
}

function readBundle(bytes: Uint8Array, decode: typeof decodeAll = decodeAll): Read {
  const { read, sink } = reading()
  expect(decode((feed) => bundleGrammar(feed, sink), bytes)).toBe(read.items.length)
  return read
}

async function gather(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}

const tree = directory(['a', file('one', true)])
const nar = encodeTree(tree)
const references = [storePath('other'), storePath('item')]
const signedPart = wire().raw(nar).int(0x4558494e).str(storePath('item')).list(references).str(storePath('item.drv')).build()
const member = wire().raw(signedPart).int(1).str('(signature …)').build()
const bundle = wire().int(1).raw(member).int(1).raw(nar).int(0x4558494e).str(storePath('other')).list([]).str('').int(0).int(0).build()

describe('a bundle reader', () => {
  test('reads items, split at every boundary', () => {
    for (const decode of [decodeAll, decodeBytewise]) {
      const { items, trees } = readBundle(bundle, decode)
      expect(trees).toEqual([tree, tree])
      expect(items[0]).toEqual({
        path: storePath('item'),
        references,
        deriver: storePath('item.drv'),
        hash: sha256(signedPart),
        narHash: sha256(nar),
        narSize: nar.length,
        signature: Buffer.from('(signature …)').toString('latin1'),
      })
      expect(items[1]).toMatchObject({ path: storePath('other'), references: [], deriver: undefined, signature: undefined, narHash: sha256(nar) })
    }
    const { read, sink } = reading()
    for (const count of decodeEverySplit(() => (feed) => bundleGrammar(feed, sink), bundle)) expect(count).toBe(2)
    const hashes = new Set(read.items.map(({ hash }) => hash.toString('hex')))
    expect(hashes.size).toBe(2)
  })

  test('reads a member and leaves alone what follows', () => {
    const { read, sink } = reading()
    const decoder = new Decoder('a test', (feed) => memberGrammar(feed, sink))
    expect(decoder.push(Buffer.concat([member, Buffer.from('rest')]))).toBe(true)
    expect(decoder.value).toBe(read.items[0])
    expect(decoder.feed.available).toBe(4)
  })

  test('reads a bundle without items', () => {
    expect(readBundle(wire().int(0).build())).toEqual({ items: [], trees: [] })
  })

  test('keeps to the store directory it is given', () => {
    expect(() => decodeAll((feed) => bundleGrammar(feed, reading().sink, '/other/store'), bundle)).toThrow('it is not in /other/store')
  })

  const named = (path: string) => wire().int(1).raw(nar).int(0x4558494e).str(path)
  const described = (path: string, references: string[], deriver: string) => named(path).list(references).str(deriver)
  test.each<[string, Buffer, RegExp]>([
    ['something else than 1 or 0 before an item', wire().int(2).build(), /boolean out of range/],
    ['a missing mark', wire().int(1).raw(nar).int(1).build(), /expected the mark 1163413838 after the archive, seen 1/],
    ['an item that is not in the store', described('/etc/passwd', [], '').build(), /not the name of a store item/],
    ['a reference that is not in the store', described(storePath('a'), ['/etc'], '').build(), /not the name of a store item/],
    ['a deriver that is not in the store', described(storePath('a'), [], 'x').build(), /not the name of a store item/],
    ['a path of 2^63 bytes', wire().int(1).raw(nar).int(0x4558494e).int(2n ** 63n).build(), /store path out of range/],
    ['100,001 references', named(storePath('a')).int(100_001).build(), /references out of range/],
    ['a signature that is neither there nor not', described(storePath('a'), [], '').int(2).build(), /boolean out of range/],
    ['a signature of 64 KiB and a byte', described(storePath('a'), [], '').int(1).int(65_537).build(), /signature out of range/],
    ['a signature of 2^63 bytes', described(storePath('a'), [], '').int(1).int(2n ** 63n).build(), /signature out of range/],
    ['padding of a signature that is not zero', described(storePath('a'), [], '').int(1).str('x', 1).build(), /padding that is not zero/],
  ])('refuses %s', (_, bytes, problem) => {
    expect(() => readBundle(bytes)).toThrow(ProtocolError)
    expect(() => readBundle(bytes)).toThrow(problem)
  })

  test('refuses a bundle that is cut short, wherever', () => {
    for (let length = 0; length < bundle.length; length += 1) expect(() => readBundle(bundle.subarray(0, length))).toThrow(/the data ends at byte/)
  })

  test('only ever fails with a protocol error', () => {
    fc.assert(fc.property(fc.array(anyMutation, { minLength: 1, maxLength: 3 }), (mutations) => {
      const damaged = mutations.reduce((bytes, mutate) => mutate(bytes), bundle)
      try {
        decodeAll((feed) => bundleGrammar(feed, { begin: () => discardingSink, item: () => undefined }), damaged)
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
      }
    }), { numRuns: 2000 })
  })
})

describe('a bundle writer', () => {
  const item = (name: string, chunks: OutgoingItem['nar']): OutgoingItem =>
    ({ path: storePath(name), references: [storePath('other')], deriver: storePath('item.drv'), nar: chunks })
  const sign = async (hash: Buffer): Promise<string> => `(hash ${hash.toString('hex')} \xff)`

  test('writes what the builder of the tests writes', async () => {
    const written = await gather(encodeMember({ ...item('item', [nar]), references }, () => 'a signature'))
    expect(written.equals(wire().raw(signedPart).int(1).str('a signature').build())).toBe(true)
    const unsigned = await gather(encodeMember({ ...item('item', [nar]), references }))
    expect(unsigned.equals(wire().raw(signedPart).int(0).build())).toBe(true)
    expect(await gather(encodeBundle([]))).toEqual(wire().int(0).build())
  })

  test('asks for the signature of what the reader hashes', async () => {
    await fc.assert(fc.asyncProperty(fc.array(anyTree, { maxLength: 4 }), async (trees) => {
      const items = trees.map((one, index) => {
        const bytes = encodeTree(one)
        const middle = Math.floor(bytes.length / 2)
        return item(`item-${index}`, [bytes.subarray(0, middle), bytes.subarray(middle)])
      })
      const read = readBundle(await gather(encodeBundle(items, sign)))
      expect(read.trees).toEqual(trees)
      for (const [index, one] of read.items.entries()) {
        expect(one.path).toBe(items[index]?.path)
        expect(one.signature).toBe(`(hash ${one.hash.toString('hex')} \xff)`)
      }
    }))
  })

  test('takes items and archives that come with time', async () => {
    async function* chunks(): AsyncGenerator<Buffer> {
      for (const byte of nar) yield Buffer.of(byte)
    }
    async function* items(): AsyncGenerator<OutgoingItem> {
      yield item('one', chunks())
      yield item('two', [nar])
    }
    expect(readBundle(await gather(encodeBundle(items(), sign))).trees).toEqual([tree, tree])
  })

  test('asks for nothing ahead: one item is read only when the one before is written', async () => {
    const opened: string[] = []
    function* chunks(name: string): Generator<Buffer> {
      opened.push(name)
      yield Buffer.alloc(20_000)
    }
    for await (const _ of encodeBundle([item('one', chunks('one')), item('two', chunks('two'))], sign)) {
      if (opened.length === 1) break
    }
    expect(opened).toEqual(['one'])
  })
})
