import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, ProtocolError } from '../../../src/errors/offload-error.js'
import { dumpNar } from '../../../src/local-store/dump.js'
import { removeTree } from '../../../src/local-store/remove.js'
import { restoreTo } from '../../../src/local-store/restore.js'
import { bundleGrammar } from '../../../src/nar/bundle-reader.js'
import { narGrammar } from '../../../src/nar/nar-reader.js'
import { decodeAll, decodeBytewise } from '../../support/decode-all.js'
import { golden, goldenItems, goldenVersions } from '../../support/golden.js'
import { scratchFolders } from '../../support/scratch.js'
import { anyTree, directory, encodeTree, file, link } from '../../support/tree.js'

const scratch = scratchFolders()
const dump = (path: string | Uint8Array): Buffer => Buffer.concat([...dumpNar(path)])
const restore = (nar: Uint8Array, target: string | Uint8Array, decode: typeof decodeAll = decodeAll): void => {
  const restoration = restoreTo(target)
  try {
    decode((feed) => narGrammar(feed, restoration), nar)
  } finally {
    restoration.abandon()
  }
}
/** Tests may run as root, who may do anything. */
function asOrdinaryUser<T>(body: () => T): T {
  const { geteuid, seteuid } = process
  if (geteuid === undefined || seteuid === undefined || geteuid() !== 0) return body()
  seteuid(65534)
  try {
    return body()
  } finally {
    seteuid(0)
  }
}
const modeOf = (path: string): string => (fs.lstatSync(path).mode & 0o777).toString(8)

describe('restoring and dumping', () => {
  test('gives back any tree', () => {
    const folder = scratch()
    let count = 0
    fc.assert(fc.property(anyTree, (tree) => {
      const target = join(folder, `${(count += 1)}`)
      const nar = encodeTree(tree)
      restore(nar, target)
      expect(dump(target).equals(nar)).toBe(true)
      removeTree(target)
      expect(fs.existsSync(target)).toBe(false)
    }), { numRuns: 100 })
    expect(fs.readdirSync(folder)).toEqual([])
  })

  test.each([
    ['a file', file('contents')],
    ['an empty file', file('')],
    ['an executable', file('', true)],
    ['a symbolic link', link('/nowhere')],
    ['an empty directory', directory()],
  ])('works for %s as the root', (_, tree) => {
    const target = join(scratch(), 'item')
    const nar = encodeTree(tree)
    restore(nar, target, decodeBytewise)
    expect(dump(target)).toEqual(nar)
  })

  test.each(goldenVersions)('gives back what %s exported, with the names it had', (version) => {
    const folder = scratch()
    const items: { target: string; path: string }[] = []
    decodeAll((feed) => bundleGrammar(feed, {
      begin() {
        const target = join(folder, `${items.length}`)
        return restoreTo(target)
      },
      item({ path }) {
        items.push({ target: join(folder, `${items.length}`), path })
      },
    }), golden(version, 'items.bundle'))
    expect(items).toHaveLength(6)
    for (const { target, path } of items) {
      const nar = dump(target)
      const item = goldenItems(version).find((one) => one.path === path)
      expect(nar).toHaveLength(item?.narSize ?? -1)
      expect(createHash('sha256').update(nar).digest('hex')).toBe(item?.narHash)
    }
    const tree = items.find(({ path }) => path.endsWith('-tree'))?.target ?? ''
    const names = fs.readdirSync(join(tree, 'names'), { encoding: 'buffer' }).map((name) => Buffer.from(name).toString('latin1'))
    expect(names).toContain('\xff\xfe')
    expect(names).toContain('line\nbreak')
  })

  test('carries a file of many blocks', () => {
    const folder = scratch()
    for (const size of [8 * 1024 - 200, 128 * 1024, 128 * 1024 + 1, 1_000_003]) {
      const contents = Buffer.alloc(size, 'guix-offload')
      const source = join(folder, `${size}`)
      fs.writeFileSync(source, contents)
      const nar = dump(source)
      expect(nar.equals(encodeTree(file(contents)))).toBe(true)
      restore(nar, `${source}-restored`)
      expect(fs.readFileSync(`${source}-restored`).equals(contents)).toBe(true)
    }
  })

  test('meets every place where a block can end', () => {
    const folder = scratch()
    // The first block has 8 KiB: sweep its end over contents, padding and words.
    for (let size = 7900; size < 8250; size += 1) {
      const source = join(folder, `${size}`)
      const contents = Buffer.alloc(size, size & 0xff)
      fs.mkdirSync(source)
      fs.writeFileSync(join(source, 'a'), contents)
      fs.writeFileSync(join(source, 'b'), 'after')
      expect(dump(source).equals(encodeTree(directory(['a', file(contents)], ['b', file('after')])))).toBe(true)
    }
  })

  test('a dump never writes again to a buffer it gave away', () => {
    const source = join(scratch(), 'file')
    fs.writeFileSync(source, Buffer.alloc(1_000_000, 'abc'))
    const kept: { chunk: Buffer; copy: Buffer }[] = []
    for (const chunk of dumpNar(source)) kept.push({ chunk, copy: Buffer.from(chunk) })
    expect(kept.length).toBeGreaterThan(5)
    expect(kept.every(({ chunk, copy }) => chunk.equals(copy))).toBe(true)
  })
})

describe('a restoration', () => {
  test('sets modes that the daemon will find canonical, but for directories', () => {
    const target = join(scratch(), 'item')
    restore(encodeTree(directory(['directory', directory()], ['file', file('')], ['run', file('', true)])), target)
    expect(['file', 'run', 'directory', '.'].map((name) => modeOf(join(target, name)))).toEqual(['444', '555', '755', '755'])
  })

  test.each([
    ['file', (path: string) => fs.writeFileSync(path, 'mine')],
    ['directory', (path: string) => fs.mkdirSync(path)],
    ['dangling link', (path: string) => fs.symlinkSync('elsewhere', path)],
  ])('does not touch a %s that is there already', (_, make) => {
    for (const tree of [file('theirs'), directory(), link('x')]) {
      const folder = scratch()
      const target = join(folder, 'item')
      make(target)
      const before = fs.lstatSync(target)
      expect(() => restore(encodeTree(tree), target)).toThrow(/something of that name is there already/)
      expect(fs.lstatSync(target).ino).toBe(before.ino)
      expect(fs.existsSync(join(folder, 'elsewhere'))).toBe(false)
    }
  })

  test('takes a target whose name is not UTF-8', () => {
    const folder = scratch()
    const target = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x80])])
    const nar = encodeTree(directory(['a', file('x')]))
    restore(nar, target)
    expect(dump(target)).toEqual(nar)
  })

  test('blames the archive for a path longer than the system allows', () => {
    let tree = directory()
    for (let depth = 0; depth < 20; depth += 1) tree = directory(['x'.repeat(250), tree])
    const target = join(scratch(), 'item')
    expect(() => restore(encodeTree(tree), target)).toThrow(ProtocolError)
    expect(() => restore(encodeTree(tree), `${target}2`)).toThrow(/the path is longer than the system allows/)
  })

  test('says that this machine lacks the store it should restore into', () => {
    const target = join(scratch(), 'no', 'such', 'directory')
    expect(() => restore(encodeTree(file('')), target)).toThrow(ConfigurationError)
    expect(() => restore(encodeTree(file('')), target)).toThrow(/creating a file in the store: ENOENT/)
  })

  test('closes its file when the archive breaks off', () => {
    const folder = scratch()
    const open = (): number => fs.readdirSync('/proc/self/fd').length
    const before = open()
    const nar = encodeTree(file(Buffer.alloc(10_000)))
    for (let index = 0; index < 10; index += 1) expect(() => restore(nar.subarray(0, 5000), join(folder, `${index}`))).toThrow(/ends at byte 5000/)
    expect(open()).toBe(before)
  })
})

describe('a dump', () => {
  test('takes only the owner\'s word for what is executable', () => {
    const folder = scratch()
    for (const [mode, executable] of [[0o544, true], [0o455, false], [0o700, true], [0o644, false]] as const) {
      const path = join(folder, mode.toString(8))
      fs.writeFileSync(path, 'x')
      fs.chmodSync(path, mode)
      expect(dump(path)).toEqual(encodeTree(file('x', executable)))
    }
  })

  test('sorts names by bytes', () => {
    const folder = scratch()
    const names = ['~', 'é', 'z', 'a/', 'a-b', 'a', 'B', '\u{10ffff}', '\uffff'].map((name) => name.replace('/', ''))
    for (const name of new Set(names)) fs.writeFileSync(join(folder, name), '')
    const sorted = [...new Set(names)].map((name) => Buffer.from(name)).sort((one, other) => Buffer.compare(one, other))
    expect(dump(folder)).toEqual(encodeTree(directory(...sorted.map((name) => [name, file('')] as const))))
  })

  test('keeps links as they are, whatever they point to', () => {
    const folder = scratch()
    fs.symlinkSync(Buffer.from([0x2e, 0x2f, 0xff]), join(folder, 'bytes'))
    fs.symlinkSync('..', join(folder, 'up'))
    expect(dump(folder)).toEqual(encodeTree(directory(['bytes', link(Buffer.from([0x2e, 0x2f, 0xff]))], ['up', link('..')])))
  })

  test.each([
    ['grows', 'grown beyond its 500000 bytes', 500_001],
    ['shrinks', 'shrunk by 100000 of its 500000 bytes', 400_000],
  ])('fails when a file %s while it is read', (_, problem, size) => {
    const path = join(scratch(), 'file')
    fs.writeFileSync(path, Buffer.alloc(500_000))
    const chunks = dumpNar(path)
    chunks.next()
    fs.truncateSync(path, size)
    expect(() => [...chunks]).toThrow(problem)
  })

  test('refuses what a store item cannot hold, and names it', () => {
    const folder = scratch()
    execFileSync('mkfifo', [join(folder, 'pipe')])
    expect(() => dump(folder)).toThrow(ConfigurationError)
    expect(() => dump(folder)).toThrow(/pipe.*neither a file nor a directory nor a symbolic link/)
  })

  test('says which item is missing', () => {
    const path = join(scratch(), 'missing')
    expect(() => dump(path)).toThrow(/missing": reading an item of the store: ENOENT/)
  })

  test('closes its file when the consumer leaves', () => {
    const path = join(scratch(), 'file')
    fs.writeFileSync(path, Buffer.alloc(1_000_000))
    const open = (): number => fs.readdirSync('/proc/self/fd').length
    const before = open()
    for (let index = 0; index < 10; index += 1) {
      for (const _ of dumpNar(path)) break
    }
    expect(open()).toBe(before)
  })
})

describe('removing', () => {
  test('takes away read-only directories, odd names and links, but not what links point to', () => {
    const folder = scratch()
    const precious = join(folder, 'precious')
    fs.mkdirSync(precious)
    fs.writeFileSync(join(precious, 'file'), 'stays')
    const target = join(folder, 'item')
    restore(encodeTree(directory(
      ['a', directory(['b', directory(['c', file('x')])])],
      ['link', link(precious)],
      [Buffer.from([0xff]), directory([Buffer.from([0xfe]), file('')])],
    )), target)
    for (const path of ['a/b', 'a', '.']) fs.chmodSync(join(target, path), 0o555)
    removeTree(target)
    expect(fs.readdirSync(folder)).toEqual(['precious'])
    expect(fs.readFileSync(join(precious, 'file'), 'utf8')).toBe('stays')
  })

  test('takes away read-only directories as an ordinary user, whom modes bind', () => {
    const left = asOrdinaryUser(() => {
      const folder = scratch()
      const target = join(folder, 'item')
      restore(encodeTree(directory(['a', directory(['b', directory(['c', file('x')])])])), target)
      for (const [path, mode] of [['a/b', 0o000], ['a', 0o555], ['.', 0o444]] as const) fs.chmodSync(join(target, path), mode)
      removeTree(target)
      return fs.readdirSync(folder)
    })
    expect(left).toEqual([])
  })

  test('removes a link, not its target, and files', () => {
    const folder = scratch()
    fs.mkdirSync(join(folder, 'target'))
    fs.symlinkSync('target', join(folder, 'link'))
    fs.writeFileSync(join(folder, 'file'), '')
    removeTree(join(folder, 'link'))
    removeTree(join(folder, 'file'))
    expect(fs.readdirSync(folder)).toEqual(['target'])
    expect(() => fs.readlinkSync(join(folder, 'link'))).toThrow()
  })

  test('finds nothing wrong with what is gone already', () => {
    const folder = scratch()
    expect(() => removeTree(join(folder, 'missing'))).not.toThrow()
  })

  test('removes a tree as deep as a path can be', () => {
    const folder = scratch()
    let tree = directory()
    for (let depth = 0; depth < 1900; depth += 1) tree = directory(['d', tree])
    const target = join(folder, 'item')
    restore(encodeTree(tree), target)
    removeTree(target)
    expect(fs.readdirSync(folder)).toEqual([])
  })
})
