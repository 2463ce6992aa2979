import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import type { Dirent, Stats } from 'node:fs'
import { ConfigurationError } from '../errors/offload-error.js'
import type { OffloadError } from '../errors/offload-error.js'
import { beginArchive, beginEntry, contentsPadding, directoryHeader, endEntry, endNode, fileHeader, symlinkNode } from '../nar/nar-writer.js'
import { printable } from '../wire/printable.js'
import { bytePath, joinBytes, pathBuffer } from './byte-path.js'
import type { BytePath } from './byte-path.js'
import { storeFailure } from './store-failure.js'

/** Big enough that the system calls do not show, small enough that the event loop turns between them. */
const BLOCK_SIZE = 128 * 1024
/** Small items are many: their first block is no bigger than this. */
const FIRST_BLOCK_SIZE = 8 * 1024
const STEP = 'reading an item of the store'
const OPEN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY

function attempt<T>(path: BytePath, operation: (path: Buffer) => T): T {
  const buffer = pathBuffer(path)
  try {
    return operation(buffer)
  } catch (error) {
    throw storeFailure(STEP, buffer, error)
  }
}

function unsuitable(path: BytePath, problem: string, code: string): OffloadError {
  const cure = 'Check the store with `guix gc --verify=contents`'
  return new ConfigurationError({ code, step: STEP, subject: printable(pathBuffer(path)), problem, cure })
}

/** Collects small pieces and contents in blocks. Every block given away is fresh: it is never written to again. */
class Blocks {
  block = Buffer.allocUnsafeSlow(FIRST_BLOCK_SIZE)
  end = 0

  get room(): number {
    return this.block.length - this.end
  }

  flush(): Buffer {
    const full = this.block.subarray(0, this.end)
    this.block = Buffer.allocUnsafeSlow(BLOCK_SIZE)
    this.end = 0
    return full
  }

  *append(bytes: Buffer): Generator<Buffer, void, void> {
    if (bytes.length > this.room) yield this.flush()
    this.end += bytes.copy(this.block, this.end)
  }
}

function* contents(blocks: Blocks, path: BytePath, descriptor: number, size: number): Generator<Buffer, void, void> {
  for (let left = size; ;) {
    if (blocks.room === 0) yield blocks.flush()
    // One more than is left, to see whether the file has grown.
    const wanted = Math.min(blocks.room, left + 1)
    const count = attempt(path, () => readSync(descriptor, blocks.block, blocks.end, wanted, null))
    if (count > left) throw unsuitable(path, `the file has grown beyond its ${size} bytes while it was read`, 'file-changed')
    if (count === 0 && left > 0) throw unsuitable(path, `the file has shrunk by ${left} of its ${size} bytes while it was read`, 'file-changed')
    blocks.end += count
    left -= count
    if (left === 0 && count < wanted) return
  }
}

function* regular(blocks: Blocks, path: BytePath): Generator<Buffer, void, void> {
  const descriptor = attempt(path, (buffer) => openSync(buffer, OPEN))
  try {
    const status = attempt(path, () => fstatSync(descriptor))
    if (!status.isFile()) throw unsuitable(path, 'the file was replaced while it was read', 'file-changed')
    yield* blocks.append(fileHeader((status.mode & constants.S_IXUSR) !== 0, status.size))
    yield* contents(blocks, path, descriptor, status.size)
    yield* blocks.append(contentsPadding(status.size))
  } finally {
    closeSync(descriptor)
  }
}

/** What tells the type of a file: of the root its status, of everything else its directory entry. */
type Kind = Stats | Dirent<Buffer>

interface Entry {
  readonly name: BytePath
  readonly kind: Kind
}

/** In ascending byte order, which is the order of strings of bytes. */
function entriesOf(path: BytePath): Entry[] {
  return attempt(path, (buffer) => readdirSync(buffer, { encoding: 'buffer', withFileTypes: true }))
    .map((kind) => ({ name: bytePath(kind.name), kind }))
    .sort((one, other) => one.name < other.name ? -1 : 1)
}

/**
 * The NAR of a file tree, in fresh buffers of modest size that the consumer may keep; reads as far as it is asked to. Files, directories and
 * symbolic links only; executable means its owner may execute it.
 *
 * @throws ConfigurationError if something cannot be read, has another type, or changes its size meanwhile
 */
export function* dumpNar(path: string | Uint8Array): Generator<Buffer, void, void> {
  const blocks = new Blocks()
  const root = bytePath(path)
  /** Entries yet to be written of each open directory, and where it is. */
  const open: { readonly path: BytePath; readonly entries: Iterator<Entry> }[] = []
  let node: { readonly path: BytePath; readonly kind: Kind } | undefined = { path: root, kind: attempt(root, (buffer) => lstatSync(buffer)) }

  yield* blocks.append(beginArchive)
  while (node !== undefined) {
    const { path: here, kind } = node
    if (kind.isDirectory()) {
      yield* blocks.append(directoryHeader)
      open.push({ path: here, entries: entriesOf(here).values() })
    } else {
      if (kind.isFile()) yield* regular(blocks, here)
      else if (kind.isSymbolicLink()) yield* blocks.append(symlinkNode(attempt(here, (buffer) => readlinkSync(buffer, { encoding: 'buffer' }))))
      else throw unsuitable(here, 'neither a file nor a directory nor a symbolic link', 'unsupported-file-type')
      yield* blocks.append(open.length === 0 ? endNode : endEntry)
    }
    node = undefined
    for (let directory = open.at(-1); directory !== undefined && node === undefined; directory = open.at(-1)) {
      const next = directory.entries.next()
      if (next.done === true) {
        open.pop()
        yield* blocks.append(open.length === 0 ? endNode : endEntry)
      } else {
        yield* blocks.append(beginEntry(pathBuffer(next.value.name)))
        node = { path: joinBytes(directory.path, next.value.name), kind: next.value.kind }
      }
    }
  }
  yield blocks.flush()
}
