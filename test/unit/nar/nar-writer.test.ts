import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as nar from '../../../src/nar/nar-writer.js'
import { anyTree, encodeTree } from '../../support/tree.js'
import type { Tree } from '../../support/tree.js'

function* node(tree: Tree): Generator<Buffer> {
  switch (tree.type) {
    case 'regular':
      yield nar.fileHeader(tree.executable, tree.contents.length)
      yield tree.contents
      yield nar.contentsPadding(tree.contents.length)
      break
    case 'symlink':
      yield nar.symlinkNode(tree.target)
      break
    case 'directory':
      yield nar.directoryHeader
      for (const [name, child] of tree.entries) {
        yield nar.beginEntry(name)
        yield* node(child)
        yield nar.endEntry
      }
      break
  }
}

/** `endEntry` ends the node as well, so that only the root needs `endNode`. */
const write = (tree: Tree): Buffer => Buffer.concat([nar.beginArchive, ...node(tree), nar.endNode])

test('writes what the builder of the tests writes', () => {
  fc.assert(fc.property(anyTree, (tree) => {
    expect(write(tree).equals(encodeTree(tree))).toBe(true)
  }))
})
