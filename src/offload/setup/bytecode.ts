import { basename, dirname, join } from 'node:path'
import { OffloadError } from '../../errors/offload-error.js'
import type { HostFiles } from './host-files.js'
import type { SetupChange } from './report.js'

/** Functions of ours in the form that this very node runs them in. They lie beside their source, so that nobody can change them who could not change the source. */
export interface Bytecode {
  /** Absolute; another node wants another name. */
  readonly path: string
  make(): Promise<Uint8Array>
}

const suffix = '.bytecode'

/** Nothing depends on it but speed: where our files cannot be written to it is left out, with a warning unless that is as it should be, as in a store. */
export async function putBytecode(files: HostFiles, bytecode: Bytecode | undefined, dryRun: boolean): Promise<{ changes: readonly SetupChange[]; warnings: readonly string[] }> {
  if (bytecode === undefined) return { changes: [], warnings: [] }
  const { path } = bytecode
  if (files.isPlainFile(path)) return { changes: [{ action: 'keep', subject: path }], warnings: [] }
  if (dryRun) return { changes: [{ action: 'write', subject: path }], warnings: [] }
  try {
    files.write(path, await bytecode.make(), 0o644)
  } catch (error) {
    if (!(error instanceof OffloadError)) throw error
    if (codeOf(error.cause) === 'EROFS') return { changes: [], warnings: [] }
    return { changes: [], warnings: [`machine files are read some milliseconds slower than need be: ${error.message}`] }
  }
  // Those of an earlier node.
  for (const other of others(files, path)) files.remove(other)
  return { changes: [{ action: 'write', subject: path }], warnings: [] }
}

export function dropBytecode(files: HostFiles, bytecode: Bytecode | undefined, dryRun: boolean): SetupChange[] {
  if (bytecode === undefined) return []
  const present = [...(files.isPlainFile(bytecode.path) ? [bytecode.path] : []), ...others(files, bytecode.path)]
  return present.filter((path) => dryRun || removed(files, path)).map((subject) => ({ action: 'remove', subject }))
}

/** What came with a read-only package was not put there by set-up. */
function removed(files: HostFiles, path: string): boolean {
  try {
    files.remove(path)
    return true
  } catch (error) {
    if (error instanceof OffloadError && codeOf(error.cause) === 'EROFS') return false
    throw error
  }
}

function others(files: HostFiles, path: string): string[] {
  const folder = dirname(path)
  return files.list(folder).filter((name) => name.endsWith(suffix) && name !== basename(path)).map((name) => join(folder, name))
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
