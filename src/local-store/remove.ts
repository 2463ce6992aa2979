import { chmodSync, lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { bytePath, joinBytes, pathBuffer } from './byte-path.js'
import type { BytePath } from './byte-path.js'
import { storeFailure } from './store-failure.js'

const errnoOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** Runs a file operation; what is gone already counts as removed. */
function unlessGone<T>(path: BytePath, operation: (path: Buffer) => T): T | undefined {
  try {
    return operation(pathBuffer(path))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw storeFailure('removing a temporary from the store', pathBuffer(path), error)
  }
}

/** Removes a tree of any names and modes; symbolic links are removed, never followed. Fine if it is not there, or goes away meanwhile. */
export function removeTree(path: string | Uint8Array): void {
  const root = bytePath(path)
  const status = unlessGone(root, (buffer) => lstatSync(buffer))
  if (status === undefined) return
  if (!status.isDirectory()) {
    unlessGone(root, unlinkSync)
    return
  }
  /** Directories yet to be emptied, or, the second time they come up, removed. */
  const pending: { readonly path: BytePath; emptied: boolean }[] = [{ path: root, emptied: false }]
  for (let directory = pending.at(-1); directory !== undefined; directory = pending.at(-1)) {
    if (directory.emptied) {
      unlessGone(directory.path, rmdirSync)
      pending.pop()
      continue
    }
    directory.emptied = true
    unlessGone(directory.path, (buffer) => chmodSync(buffer, 0o700))
    const entries = unlessGone(directory.path, (buffer) => readdirSync(buffer, { encoding: 'buffer', withFileTypes: true })) ?? []
    for (const entry of entries) {
      const child = joinBytes(directory.path, bytePath(entry.name))
      if (entry.isDirectory()) pending.push({ path: child, emptied: false })
      else unlessGone(child, unlinkSync)
    }
  }
}
