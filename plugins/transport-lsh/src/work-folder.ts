/**
 * The private folder of one connection, which is also the home and the temporary folder of its lsh: nobody's `.lsh` has a say. In it: the trusted host key, the seed of
 * lsh's random numbers, and the socket of its gateway. The private key is never here: it goes through a pipe.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface WorkFolder {
  readonly path: string
  readonly hostAcl: string
  /** The whole environment for lsh. */
  readonly environment: Readonly<Record<string, string>>
  /** Under this name the gateway can be reached once it listens. */
  readonly gateway: string
  remove(): Promise<void>
}

/** The gateway listens at TMPDIR/x-lsh-LOGNAME/TARGET:USER. */
const logName = 'offload'
/** What lsh reads of its seed file; a shorter one is refused. */
const seedBytes = 32

/** Socket names are limited to 107 bytes; `%` and `/` lsh itself refuses. */
export function canBeSocketName(target: string, user: string): boolean {
  return !/[%/\0]/.test(target + user) && Buffer.byteLength(`${target}:${user}`) <= 107
}

export async function makeWorkFolder(acl: Buffer, target: string, user: string): Promise<WorkFolder> {
  // Made with mode 0700.
  const path = await mkdtemp(join(tmpdir(), 'guix-offload-lsh-'))
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 3 })
  const hostAcl = join(path, 'host-acls')
  const seed = join(path, 'yarrow-seed-file')
  const gateway = join(path, 'gateway')
  try {
    await Promise.all([
      writeFile(hostAcl, acl, { mode: 0o600 }),
      writeFile(seed, randomBytes(seedBytes), { mode: 0o600 }),
      // The real name may be too long to be connected to from elsewhere.
      symlink(join(`x-lsh-${logName}`, `${target}:${user}`), gateway),
    ])
  } catch (error) {
    await remove()
    throw error
  }
  const environment = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: path,
    TMPDIR: path,
    LOGNAME: logName,
    LC_ALL: 'C',
    LSH_YARROW_SEED_FILE: seed,
  }
  return { path, hostAcl, environment, gateway, remove }
}
