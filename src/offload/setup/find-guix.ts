import { dirname, join } from 'node:path'
import { ConfigurationError } from '../../errors/offload-error.js'
import type { HostFiles } from './host-files.js'
import { marker } from './own-file.js'
import { wrapperPath } from './wrapper.js'

/** Guix System's, the installer's, a distribution's. */
const usualPlaces = ['/run/current-system/profile/bin', '/var/guix/profiles/per-user/root/current-guix/bin', '/usr/bin', '/usr/local/bin']

/**
 * The `guix` that the wrapper hands everything else to: the one beside the daemon's program, else the first found. Links are kept, since they are what an upgrade changes. The wrapper
 * itself does not count, whatever link leads to it: it would start itself for ever.
 */
export function findGuix(files: HostFiles, daemon: string | undefined, searchPath: string): string {
  const folders = [...(daemon === undefined ? [] : [dirname(daemon)]), ...usualPlaces, ...searchPath.split(':').filter((folder) => folder.startsWith('/'))]
  const places = [...new Set(folders.map((folder) => join(folder, 'guix')))]
  const found = places.find((path) => isProgram(files, path))
  if (found !== undefined) return found
  throw new ConfigurationError({
    code: 'guix-not-found',
    step: 'looking for the guix command',
    problem: 'there is none',
    seen: `none of ${places.join(', ')}`,
    cure: 'Install Guix, or run this where guix is in PATH',
  })
}

function isProgram(files: HostFiles, path: string): boolean {
  const stat = files.stat(path)
  if (stat === undefined || !stat.isFile() || (stat.mode & 0o111) === 0) return false
  return files.realPath(path) !== wrapperPath && files.read(path)?.slice(0, 1000).includes(marker) !== true
}
