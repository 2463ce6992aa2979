import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/** Where oclif keeps the plugins that somebody installed besides those of the package: as oclif finds it, `DATA_DIR` for `guix-offload`. */
export function userPluginFolder(environment: Environment): string {
  return environment.GUIX_OFFLOAD_DATA_DIR || join(environment.XDG_DATA_HOME || join(environment.HOME ?? '/', '.local', 'share'), 'guix-offload')
}

/**
 * Whether plugins may be loaded from that folder: they are code that runs as root or as guix-daemon's user, so nobody else may be able to write there.
 * @returns `absent` also if it may not be read, as under guix-daemon with another user's `HOME`; else the path that is open to others
 */
export function inspectUserPlugins(folder: string): 'absent' | 'trusted' | { readonly untrusted: string } {
  try {
    for (let path = join(folder, 'package.json'); ; path = dirname(path)) {
      const { uid, mode } = statSync(path)
      const owned = uid === 0 || uid === process.geteuid?.()
      const sticky = (mode & 0o1000) !== 0
      if (!owned || ((mode & 0o022) !== 0 && !sticky)) return { untrusted: path }
      if (path === dirname(path)) return 'trusted'
    }
  } catch {
    return 'absent'
  }
}
