/** File trees as values: made by hand or by fast-check, read back from archives by a sink, and encoded by a builder that is not ours. */
import fc from 'fast-check'
import type { NarSink } from '../../src/nar/nar-sink.js'
import { WireBuilder } from './wire-builder.js'

export type Tree =
  | { readonly type: 'regular'; readonly executable: boolean; readonly contents: Buffer }
  | { readonly type: 'symlink'; readonly target: Buffer }
  | { readonly type: 'directory'; readonly entries: readonly (readonly [name: Buffer, node: Tree])[] }

export const file = (contents: string | Uint8Array, executable = false): Tree =>
  ({ type: 'regular', executable, contents: Buffer.from(contents as string) })
export const link = (target: string | Uint8Array): Tree => ({ type: 'symlink', target: Buffer.from(target as string) })
/** In the order given, lawful or not. */
export const directory = (...entries: readonly (readonly [name: string | Uint8Array, node: Tree])[]): Tree =>
  ({ type: 'directory', entries: entries.map(([name, node]) => [Buffer.from(name as string), node] as const) })

function node(builder: WireBuilder, tree: Tree): void {
  builder.strs('(', 'type', tree.type)
  switch (tree.type) {
    case 'regular':
      if (tree.executable) builder.strs('executable', '')
      builder.str('contents').str(tree.contents)
      break
    case 'symlink':
      builder.str('target').str(tree.target)
      break
    case 'directory':
      for (const [name, child] of tree.entries) {
        builder.strs('entry', '(', 'name').str(name).str('node')
        node(builder, child)
        builder.str(')')
      }
      break
  }
  builder.str(')')
}

export function encodeTree(tree: Tree): Buffer {
  const builder = new WireBuilder().str('nix-archive-1')
  node(builder, tree)
  return builder.build()
}

interface OpenDirectory {
  readonly name: Buffer
  readonly entries: [Buffer, Tree][]
}

/** A sink that gathers the tree. */
export function treeSink(): { readonly sink: NarSink; readonly tree: () => Tree } {
  let root: Tree | undefined
  const open: OpenDirectory[] = []
  let current: { readonly name: Buffer; readonly executable: boolean; readonly size: number; readonly chunks: Buffer[] } | undefined
  const add = (name: Buffer, tree: Tree): void => {
    const parent = open.at(-1)
    if (parent === undefined) root = tree
    else parent.entries.push([name, tree])
  }
  return {
    tree() {
      if (root === undefined || open.length > 0) throw new Error('the tree is not complete')
      return root
    },
    sink: {
      directory(name) {
        open.push({ name, entries: [] })
      },
      endDirectory() {
        const closed = open.pop()
        if (closed === undefined) throw new Error('no directory is open')
        add(closed.name, { type: 'directory', entries: closed.entries })
      },
      file(name, executable, size) {
        current = { name, executable, size, chunks: [] }
      },
      data(chunk) {
        current?.chunks.push(Buffer.from(chunk))
      },
      endFile() {
        if (current === undefined) throw new Error('no file is open')
        const contents = Buffer.concat(current.chunks)
        if (contents.length !== current.size) throw new Error(`a file of ${current.size} bytes got ${contents.length}`)
        add(current.name, { type: 'regular', executable: current.executable, contents })
        current = undefined
      },
      symlink(name, target) {
        add(name, { type: 'symlink', target })
      },
    },
  }
}

const bytes = (byte: fc.Arbitrary<number>, minLength: number, maxLength: number): fc.Arbitrary<Buffer> =>
  fc.array(byte, { minLength, maxLength }).map((values) => Buffer.from(values))
/** Mostly bytes that sort in surprising ways. */
const nameByte = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(0x61, 0x62, 0x2e, 0x2d, 0x41) },
  fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f),
)
const name = bytes(nameByte, 1, 12).filter((value) => !['.', '..'].includes(value.toString('latin1')))

/** Lawful trees: any names and targets a file system takes, entries sorted. */
export const anyTree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.record({ type: fc.constant('regular' as const), executable: fc.boolean(), contents: bytes(fc.integer({ min: 0, max: 255 }), 0, 100) }),
    fc.record({ type: fc.constant('symlink' as const), target: bytes(fc.integer({ min: 1, max: 255 }), 1, 40) }),
    fc.record({
      type: fc.constant('directory' as const),
      entries: fc.uniqueArray(fc.tuple(name, tie('tree')), { maxLength: 6, selector: ([key]) => key.toString('latin1') })
        .map((entries) => entries.sort(([one], [other]) => Buffer.compare(one, other))),
    }),
  ),
})).tree
