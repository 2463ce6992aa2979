import { readdirSync, readlinkSync } from 'node:fs'
import { readdir, realpath, rename, rm } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { InstalledEntry } from './plugin-index.js'

/**
 * Removes the folders of packages that the index does not know: of plugins that were replaced or uninstalled, and what a killed installation has left. A hook that runs may still
 * load more of a plugin; it keeps the folder open, and such a folder stays until the next change.
 */
export async function removeUnused(home: string, entries: readonly InstalledEntry[]): Promise<void> {
  const packages = join(await realpath(home), 'packages')
  const used = new Set(entries.flatMap(({ folder, kind }) => (kind === 'package' ? [folder.split(sep)[1]] : [])))
  for (const name of await readdir(packages)) {
    const folder = join(packages, name)
    if (used.has(name) || isOpen(folder)) continue
    // Out of the way first: whoever has opened it meanwhile is seen then, and nobody can any more.
    const gone = join(packages, `.gone-${name.replace(/^\.gone-/, '')}`)
    await rename(folder, gone)
    if (isOpen(gone)) await rename(gone, folder)
    else await rm(gone, { recursive: true, force: true })
  }
}

/** Whether some process has that folder open. Root sees all of them; others their own, which is what can have loaded plugins of theirs. */
function isOpen(folder: string): boolean {
  return readdirSync('/proc').some((process_) => /^\d+$/.test(process_) && descriptorsOf(process_).some((target) => target === folder))
}

function descriptorsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
      } catch {
        return []
      }
    })
  } catch {
    // It has ended, or is somebody else's.
    return []
  }
}
