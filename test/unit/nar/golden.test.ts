import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtocolError } from '../../../src/errors/offload-error.js'
import { bundleGrammar, memberGrammar } from '../../../src/nar/bundle-reader.js'
import type { BundleItem } from '../../../src/nar/bundle-reader.js'
import { encodeBundle, encodeMember } from '../../../src/nar/bundle-writer.js'
import { discardingSink } from '../../../src/nar/nar-sink.js'
import { decodeAll, decodeEverySplit } from '../../support/decode-all.js'
import { golden, goldenItems, goldenVersions } from '../../support/golden.js'
import { anyMutation } from '../../support/mutate.js'
import { encodeTree, treeSink } from '../../support/tree.js'
import type { Tree } from '../../support/tree.js'

function readItems(bytes: Uint8Array): { item: BundleItem; tree: Tree }[] {
  const found: { item: BundleItem; tree: Tree }[] = []
  let gathered: (() => Tree) | undefined
  decodeAll((feed) => bundleGrammar(feed, {
    begin() {
      const gatherer = treeSink()
      gathered = gatherer.tree
      return gatherer.sink
    },
    item(item) {
      if (gathered !== undefined) found.push({ item, tree: gathered() })
    },
  }), bytes)
  return found
}

async function gather(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}

const discard = { begin: () => discardingSink, item: () => undefined }

describe.each(goldenVersions)('the bundle that %s exported', (version) => {
  const bytes = golden(version, 'items.bundle')
  const described = goldenItems(version)

  test('holds the items that its daemon describes', () => {
    const items = readItems(bytes).map(({ item }) => ({
      path: item.path,
      deriver: item.deriver ?? '',
      references: item.references,
      narHash: item.narHash.toString('hex'),
      narSize: item.narSize,
    }))
    expect(items).toHaveLength(6)
    // The archive command puts items into an order of its own.
    expect(new Set(items.map(({ path }) => path))).toEqual(new Set(described.map(({ path }) => path)))
    for (const item of items) expect(item).toEqual(described.find(({ path }) => path === item.path))
  })

  test('has the hashes that guix hash finds', () => {
    const hashes = new Map(readItems(bytes).map(({ item }) => [item.path as string, item.narHash.toString('hex')]))
    const lines = golden(version, 'hashes').toString().trim().split('\n')
    expect(lines).toHaveLength(5)
    for (const line of lines) {
      const [path = '', hash] = line.split(' ')
      expect(hashes.get(path)).toBe(hash)
    }
  })

  test('is signed over the hash computed', () => {
    for (const { item } of readItems(bytes)) expect(item.signature).toContain(`#${item.hash.toString('hex').toUpperCase()}#`)
  })

  test('is reproduced byte for byte', async () => {
    const items = readItems(bytes)
    const signatures = new Map(items.map(({ item }) => [item.hash.toString('hex'), item.signature ?? '']))
    const outgoing = items.map(({ item, tree }) => ({ ...item, nar: [encodeTree(tree)] }))
    const written = await gather(encodeBundle(outgoing, (hash) => signatures.get(hash.toString('hex')) ?? 'not the hash'))
    expect(written.equals(bytes)).toBe(true)
  })

  test('holds names that are not UTF-8', () => {
    const tree = readItems(bytes).find(({ item }) => item.path.endsWith('-tree'))?.tree
    const names = tree?.type === 'directory' ? tree.entries.find(([name]) => name.toString() === 'names')?.[1] : undefined
    const found = names?.type === 'directory' ? names.entries.map(([name]) => name.toString('latin1')) : []
    expect(found).toContain('\xff\xfe')
    expect(found).toContain('na\xefve')
    expect(found).toContain('...')
  })

  test('only ever fails with a protocol error when damaged', () => {
    fc.assert(fc.property(anyMutation, (mutate) => {
      try {
        decodeAll((feed) => bundleGrammar(feed, discard), mutate(bytes))
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
      }
    }), { numRuns: 1000 })
  })
})

test('a golden bundle reads the same, split at every boundary', () => {
  const bytes = golden('guix-1.5.0', 'items.bundle')
  const digest = (items: readonly BundleItem[]): string => items.map(({ hash }) => hash.toString('hex')).join()
  const whole = digest(readItems(bytes).map(({ item }) => item))
  const seen: BundleItem[] = []
  for (const count of decodeEverySplit(() => (feed) => bundleGrammar(feed, { ...discard, item: (item) => seen.push(item) }), bytes)) {
    expect(count).toBe(6)
    expect(digest(seen.splice(0))).toBe(whole)
  }
})

describe.each(goldenVersions)('the member that ExportPath of %s sent', (version) => {
  test.each([['signed.member', true], ['unsigned.member', false]] as const)('%s is read and reproduced', async (name, signed) => {
    const bytes = golden(version, name)
    const gatherer = treeSink()
    const item = decodeAll((feed) => memberGrammar(feed, { begin: () => gatherer.sink, item: () => undefined }), bytes)
    expect(item.path).toMatch(/-tree$/)
    expect(item.signature !== undefined).toBe(signed)
    const { signature } = item
    const sign = signature === undefined ? undefined : () => signature
    const written = await gather(encodeMember({ ...item, nar: [encodeTree(gatherer.tree())] }, sign))
    expect(written.equals(bytes)).toBe(true)
    const narHash = createHash('sha256').update(bytes.subarray(0, item.narSize)).digest('hex')
    expect(narHash).toBe(goldenItems(version).find(({ path }) => path === item.path)?.narHash)
  })
})
