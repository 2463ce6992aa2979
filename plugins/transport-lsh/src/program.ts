import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Failures } from 'guix-offload-ssh-common/failures.js'

/** Under guix-daemon PATH may be short. */
const usualFolders = ['/usr/bin', '/usr/local/bin', '/run/current-system/profile/bin']

/** Where `lsh` is. */
export async function findLsh(failures: Failures, homeDirectory: string): Promise<string> {
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'))
  const folders = new Set([...path, ...usualFolders, join(homeDirectory, '.guix-profile', 'bin')])
  for (const folder of folders) {
    const candidate = join(folder, 'lsh')
    if (await access(candidate, constants.X_OK).then(() => true, () => false)) return candidate
  }
  throw failures.ofConfiguration({
    code: 'program-missing',
    step: 'looking for lsh',
    problem: 'GNU lsh is not installed on this computer',
    seen: `no lsh in ${[...folders].join(', ')}`,
    cure: `Install it (guix install lsh; on Debian lsh-client), or set transport: ssh2 and legacyAlgorithms: true for "${failures.machine.name}" in the configuration file`,
  })
}
