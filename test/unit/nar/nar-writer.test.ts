import fc from 'fast-check'
import { expect, test } from 'vitest'
import { beginArchive, beginEntry, contentsPadding, directoryHeader, endEntry, endNode, fileHeader, symlinkNode } from '../../../src/nar/nar-writer.js'
import { anyTree, encodeTree } from '../../support/tree.js'
import type { Tree } from '../../support/tree.js'

function* node(tree: Tree): Generator<Buffer> {
  switch (tree.type) {
    case 'regular':
      yield fileHeader(tree.executable, tree.contents.length)
      yield tree.contents
      yield contentsPadding(tree.contents.length)
      break
    case 'symlink':
      yield symlinkNode(tree.target)
      break
    case 'directory':
      yield directoryHeader
      for (const [name, child] of tree.entries) {
        yield beginEntry(name)
        yield* node(child)
        yield endEntry
      }
      break
  }
}

/** `endEntry` ends the node as well, so that only the root needs `endNode`. */
const write = (tree: Tree): Buffer => Buffer.concat([beginArchive, ...node(tree), endNode])

test('writes what the builder of the tests writes', () => {
  fc.assert(fc.property(anyTree, (tree) => {
    expect(write(tree).equals(encodeTree(tree))).toBe(true)
  }))
})
