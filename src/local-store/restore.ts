import { closeSync, constants, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs'
import { InternalError } from '../errors/offload-error.js'
import type { NarSink } from '../nar/nar-sink.js'
import { bytePath, joinBytes, pathBuffer } from './byte-path.js'
import type { BytePath } from './byte-path.js'
import { storeFailure } from './store-failure.js'

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_NOCTTY
const FILE_MODE = 0o444
const EXECUTABLE_MODE = 0o555
/** Writable for its owner while it is filled; guix-daemon makes modes, owners and times canonical when it registers the item. */
const DIRECTORY_MODE = 0o755

export interface Restoration extends NarSink {
  /** Closes the file at hand, if any; to be called when the archive broke off. What is there stays: see {@link removeTree}. */
  abandon(): void
}

/**
 * Writes an archive's tree to `target`, which must not exist, in a directory that no one else may write to. Everything is created
 * exclusively and through nothing but directories created here, so no symbolic link of the archive is ever followed (names are safe to join:
 * the reader saw to that). Calls are synchronous, the fastest way to create many files; feed it a modest chunk at a time.
 *
 * @param item what errors call the target, as people know it
 * @throws ConfigurationError when this machine's store is full or not writable, ProtocolError for a path that the system refuses
 */
export function restoreTo(target: string | Uint8Array, item: string | Uint8Array = target): Restoration {
  const root = bytePath(target)
  const shownRoot = bytePath(item)
  const directories: BytePath[] = []
  let file: { readonly descriptor: number; readonly path: BytePath } | undefined

  const pathOf = (name: Buffer): BytePath => {
    const directory = directories.at(-1)
    return directory === undefined ? root : joinBytes(directory, bytePath(name))
  }
  const attempt = <T>(step: string, path: BytePath, operation: (path: Buffer) => T): T => {
    const buffer = pathBuffer(path)
    try {
      return operation(buffer)
    } catch (error) {
      throw storeFailure(step, pathBuffer(`${shownRoot}${path.slice(root.length)}`), error)
    }
  }
  const close = (): void => {
    const open = file
    if (open === undefined) return
    file = undefined
    attempt('closing a file in the store', open.path, () => closeSync(open.descriptor))
  }

  return {
    directory(name) {
      const path = pathOf(name)
      attempt('creating a directory in the store', path, (buffer) => mkdirSync(buffer, DIRECTORY_MODE))
      directories.push(path)
    },
    endDirectory() {
      directories.pop()
    },
    file(name, executable) {
      const path = pathOf(name)
      const descriptor = attempt('creating a file in the store', path, (buffer) => openSync(buffer, CREATE, executable ? EXECUTABLE_MODE : FILE_MODE))
      file = { descriptor, path }
    },
    data(chunk) {
      const open = file
      if (open === undefined) throw new InternalError('contents without a file')
      attempt('writing a file in the store', open.path, () => {
        for (let done = 0; done < chunk.length;) done += writeSync(open.descriptor, chunk, done, chunk.length - done)
      })
    },
    endFile: close,
    symlink(name, linkTarget) {
      attempt('creating a symbolic link in the store', pathOf(name), (buffer) => symlinkSync(linkTarget, buffer))
    },
    abandon() {
      if (file === undefined) return
      try {
        closeSync(file.descriptor)
      } catch {
        // The failure that led here is the one to tell.
      }
      file = undefined
    },
  }
}
