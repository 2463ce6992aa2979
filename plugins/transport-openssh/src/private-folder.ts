/**
 * The folder for control sockets. Who can put a socket there can pretend to be a build machine, so nobody but us and root may be able to: each folder
 * on the way belongs to one of us two and is not writable by others, or is sticky, and the last is ours alone. Its name must be short: the address of
 * a Unix socket holds 107 bytes, and ssh first listens on the name with a dot and 16 characters after it.
 */
import { chmod, lstat, mkdir, realpath } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Failures } from 'guix-offload-ssh-common/failures.js'

const longestAddress = 107
/** `/` and 16 characters of ours, `.` and 16 of ssh's. */
const longestName = 1 + 16 + 1 + 16
export const longestFolder = longestAddress - longestName

const uid = (): number => process.geteuid?.() ?? 0

/** Where the hook, which has a state directory but often no home, and people in a terminal find a place, best first. */
export function usualFolders(): readonly string[] {
  const state = process.env.GUIX_STATE_DIRECTORY
  return [
    join(resolve('/', state === undefined || state === '' ? '/var/guix' : state), 'offload', `ssh-${uid()}`),
    `/run/user/${uid()}/guix-offload`,
    `/tmp/guix-offload-${uid()}`,
  ]
}

/** The first of the folders that can be used, made if missing. */
export async function privateFolder(failures: Failures, candidates: readonly string[]): Promise<string> {
  const problems: string[] = []
  for (const candidate of candidates) {
    try {
      return await secure(candidate)
    } catch (error) {
      problems.push(`${candidate}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw failures.ofConfiguration({
    code: 'no-private-folder',
    step: 'looking for a place for ssh\'s control socket',
    problem: 'there is no folder that we alone can enter, with a name short enough',
    seen: problems.join('; '),
    cure: 'Name one as `folder` under plugins: openssh: in the configuration file',
  })
}

async function secure(candidate: string): Promise<string> {
  const parent = await realpath(dirname(candidate)).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    // `offload` of the state directory, which the hook makes at its first start.
    await mkdir(dirname(candidate), { mode: 0o755 })
    return realpath(dirname(candidate))
  })
  const folder = join(parent, candidate.slice(dirname(candidate).length).replace(/^\//, ''))
  if (Buffer.byteLength(folder) > longestFolder) throw new Error(`its name is longer than ${longestFolder} bytes`)
  for (let place = parent; ; place = dirname(place)) {
    const { uid: owner, mode } = await lstat(place)
    if (owner !== 0 && owner !== uid()) throw new Error(`${place} belongs to uid ${owner}`)
    if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0) throw new Error(`others may write to ${place}`)
    if (place === dirname(place)) break
  }
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const found = await lstat(folder)
  if (!found.isDirectory()) throw new Error('it is not a folder')
  if (found.uid !== uid()) throw new Error(`it belongs to uid ${found.uid}`)
  if ((found.mode & 0o777) !== 0o700) await chmod(folder, 0o700)
  return folder
}
