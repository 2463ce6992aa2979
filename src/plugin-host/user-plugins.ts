import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { OffloadError } from '../errors/offload-error.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Where oclif keeps the plugins that somebody installed besides those of the package: as oclif finds it, `DATA_DIR` for `guix-offload`. */
export function userPluginFolder(environment: Environment): string {
  return environment.GUIX_OFFLOAD_DATA_DIR || join(environment.XDG_DATA_HOME || join(environment.HOME ?? '/', '.local', 'share'), 'guix-offload')
}

/**
 * Whether plugins may be loaded from that folder: they are code that runs as root or as guix-daemon's user, so nobody else may be able to write there. A folder that
 * may not be read, as under guix-daemon with another user's `HOME`, counts as absent.
 */
export async function inspectUserPlugins(folder: string): Promise<'absent' | 'trusted' | { readonly refusal: string }> {
  const file = join(folder, 'package.json')
  if (!existsSync(file)) return 'absent'
  const { checkTrusted } = await import('../config/trusted-file.js')
  try {
    await checkTrusted(file, { step: 'looking for installed plugins' })
    return 'trusted'
  } catch (error) {
    if (error instanceof OffloadError) return { refusal: error.message }
    return 'absent'
  }
}
