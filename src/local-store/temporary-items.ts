/**
 * Temporary names in the store while outputs arrive. Three things guard them: a random name, so that a killed hook poisons nothing; a temp root of the
 * local daemon, so that a garbage collection leaves them alone; and a journal file in `STATE/offload/arriving/`, locked for as long as its
 * process lives, so that what a killed hook left is found and removed by the next one.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { recordLock } from '../state/record-lock.js'
import { removeTree } from './remove.js'
import { TEMPORARY_PREFIX, temporaryStorePath } from './temporary-name.js'

/** A journal larger than this is not ours. */
const maximumNames = 10_000

export class TemporaryItems {
  readonly #storeDirectory: string
  readonly #folder: string
  readonly #addTempRoot: (path: string) => Promise<void>
  readonly #paths = new Set<string>()
  #journal: { readonly file: string; readonly fd: number } | undefined

  constructor(storeDirectory: string, stateDirectory: string, addTempRoot: (path: string) => Promise<void>) {
    this.#storeDirectory = storeDirectory
    this.#folder = join(stateDirectory, 'offload', 'arriving')
    this.#addTempRoot = addTempRoot
  }

  /** A fresh name next to the store items, recorded and rooted before anything is written there. */
  async create(): Promise<string> {
    this.#journal ??= this.#open()
    const path = temporaryStorePath(this.#storeDirectory)
    writeSync(this.#journal.fd, `${path}\n`)
    this.#paths.add(path)
    await this.#addTempRoot(path)
    return path
  }

  /** The item has its final name now. */
  renamed(path: string): void {
    this.#paths.delete(path)
  }

  /** Removes what has not been renamed. Safe to call twice. */
  dispose(): void {
    for (const path of this.#paths) removeTree(path)
    this.#paths.clear()
    if (this.#journal === undefined) return
    unlinkSync(this.#journal.file)
    closeSync(this.#journal.fd)
    this.#journal = undefined
  }

  #open(): { file: string; fd: number } {
    mkdirSync(this.#folder, { recursive: true })
    for (;;) {
      const file = join(this.#folder, randomBytes(12).toString('hex'))
      const fd = openLocked(file, 'ax')
      if (fd !== undefined) return { file, fd }
    }
  }
}

/** Undefined if the lock is taken, or the file is gone by now: somebody else cleans up there. */
function openLocked(file: string, flags: 'ax' | 'r+'): number | undefined {
  const fd = openSync(file, flags, 0o600)
  let mine = false
  try {
    mine = recordLock().tryLock(fd) && fstatSync(fd).nlink > 0
  } finally {
    if (!mine) closeSync(fd)
  }
  return mine ? fd : undefined
}

/** Removes what killed hooks left in the store. Returns the paths removed. What cannot be read or removed is left for a later hook. */
export function removeLeftovers(storeDirectory: string, stateDirectory: string): string[] {
  const folder = join(stateDirectory, 'offload', 'arriving')
  return namesIn(folder).flatMap((name) => {
    try {
      return removeJournalled(join(folder, name), storeDirectory)
    } catch {
      return []
    }
  })
}

function removeJournalled(file: string, storeDirectory: string): string[] {
  const fd = openLocked(file, 'r+')
  if (fd === undefined) return []
  try {
    // Only what has the form of our names: the journal is not trusted to name store items.
    const paths = readFileSync(fd, 'utf8').split('\n').slice(0, maximumNames).filter((path) => isTemporaryPath(path, storeDirectory))
    for (const path of paths) removeTree(path)
    unlinkSync(file)
    return paths
  } finally {
    closeSync(fd)
  }
}

function isTemporaryPath(path: string, storeDirectory: string): boolean {
  return dirname(path) === storeDirectory && basename(path).startsWith(TEMPORARY_PREFIX)
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
