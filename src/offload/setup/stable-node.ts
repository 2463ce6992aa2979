import { join } from 'node:path'
import type { HostFiles } from './host-files.js'

/**
 * Node's path for the wrapper. Its real path is right, except in a store that is garbage-collected: there a link in a profile that leads to it is what stays.
 * Undefined: only the path in the store is known.
 */
export function stableNode(files: HostFiles, execPath: string, searchPath: string): string | undefined {
  if (!/^\/(gnu|nix)\/store\//.test(execPath)) return execPath
  const places = ['/run/current-system/profile/bin', '/usr/local/bin', '/usr/bin', ...searchPath.split(':').filter((folder) => folder.startsWith('/'))]
  return places
    .map((folder) => join(folder, 'node'))
    .find((path) => !/^\/(gnu|nix)\/store\//.test(path) && files.realPath(path) === execPath)
}
