import { access, constants } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { Failures } from 'guix-offload-ssh-common/failures.js'

/** Where else than in PATH: guix-daemon's is almost empty on Guix System. */
const usualPlaces = [
  '/run/current-system/profile/bin', '/usr/bin', '/usr/local/bin', '/bin', '/var/guix/profiles/per-user/root/current-guix/bin', '/root/.guix-profile/bin',
]

const searchPath = (): string[] => [...(process.env.PATH ?? '').split(':').filter(isAbsolute), ...usualPlaces]

let found: string | undefined

/**
 * The path of `ssh`.
 * @param configured - From the options, to be taken as it is.
 */
export async function sshProgram(failures: Failures, configured: string | undefined): Promise<string> {
  if (configured !== undefined) return configured
  if (found !== undefined) return found
  const folders = searchPath()
  for (const folder of folders) {
    const path = join(folder, 'ssh')
    try {
      await access(path, constants.X_OK)
      found = path
      return path
    } catch {
      // The next one.
    }
  }
  throw failures.ofConfiguration({
    code: 'program-missing',
    step: 'looking for ssh',
    problem: 'transport openssh needs OpenSSH\'s client, and there is none',
    seen: `no ssh in ${[...new Set(folders)].join(', ')}`,
    cure: 'Install OpenSSH, give its path as `program` under plugins: openssh: in the configuration file, or use transport: ssh2',
  })
}

/** Locale for messages we read, and nothing that could make ssh ask anyone anything. */
export function sshEnvironment(homeDirectory: string): NodeJS.ProcessEnv {
  return { PATH: [...new Set(searchPath())].join(':'), HOME: homeDirectory, LC_ALL: 'C' }
}
