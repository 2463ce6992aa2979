import { readFile, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import type { OffloadFailure } from 'guix-offload/plugin-api'
import type { Failures } from './failures.js'
import { describeKey } from './host-key.js'
import { convertPrivateKey, type Unusable } from './rsa-private-key.js'

export interface PrivateKey {
  readonly path: string
  /** What lsh reads. Secret. */
  readonly identity: Buffer
  /** For people. */
  readonly description: string
}

const step = 'reading the private key'
const usualPlaces = [['.lsh', 'identity'], ['.ssh', 'id_rsa']] as const

/** The key the machine names, or the first of the usual ones that can be used. lsh takes one. */
export async function loadPrivateKey(failures: Failures, homeDirectory: string): Promise<PrivateKey> {
  const named = failures.machine.privateKey
  if (named !== undefined) return readPrivateKey(failures, named)
  const problems: OffloadFailure[] = []
  const paths = usualPlaces.map((place) => join(homeDirectory, ...place))
  for (const path of paths) {
    try {
      return await readPrivateKey(failures, path)
    } catch (error) {
      if (!failures.is(error)) throw error
      if (error.code !== 'private-key-missing') problems.push(error)
    }
  }
  if (problems[0] !== undefined) throw problems[0]
  throw failures.ofConfiguration({
    code: 'private-key-missing',
    step,
    problem: 'the machine\'s entry names no private key and none of the usual ones that lsh can use exists',
    seen: `nothing at ${paths.join(', ')}`,
    cure: `Make one with \`ssh-keygen -t rsa -N '' -f ${paths[1] ?? ''}\` as ${whoAmI()}, or name one in the entry (private-key)`,
  })
}

async function readPrivateKey(failures: Failures, path: string): Promise<PrivateKey> {
  let contents: Buffer
  try {
    contents = await readFile(path)
  } catch (error) {
    throw await unreadable(failures, path, error)
  }
  const key = convertPrivateKey(contents)
  if ('unusable' in key) throw unusable(failures, path, key)
  return { path, identity: key.identity, description: key.publicBlob === undefined ? 'in lsh\'s format' : describeKey(key.publicBlob) }
}

function unusable(failures: Failures, subject: string, { unusable: kind, detail }: Unusable): OffloadFailure {
  const invalid = (problem: string, cure: string, code = 'private-key-invalid') => failures.ofConfiguration({ code, step, problem, subject, cure })
  switch (kind) {
    case 'encrypted':
      return invalid(
        'it is protected by a passphrase, and nobody is there to enter it',
        `Make a key of its own for offloading without one (ssh-keygen -t rsa -N '' or lsh-keygen | lsh-writekey -c none), or take it away with \`ssh-keygen -p -f ${subject}\``,
        'private-key-encrypted',
      )
    case 'public':
      return invalid('it holds a public key', 'Name the file with the private half')
    case 'other-type':
      return invalid(`lsh can use RSA keys only, and this is of type ${detail}`, 'Make one with `ssh-keygen -t rsa -N \'\'` and name it in the machine\'s entry (private-key)')
    case 'unknown':
      return invalid(`it is not a private key we can read (${detail})`, 'RSA keys in files of lsh, of OpenSSH and in PEM can be read; `ssh-keygen -l -f FILE` shows what it is')
  }
}

async function unreadable(failures: Failures, subject: string, cause: unknown): Promise<OffloadFailure> {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return failures.ofConfiguration({ code: 'private-key-missing', step, problem: 'there is no such file', subject, cause, cure: 'Check the path (private-key) in the machine\'s entry' })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return failures.ofConfiguration({
      code: 'private-key-unreadable',
      step,
      problem: `${await whoMayRead(subject)}; we run as ${whoAmI()}`,
      subject,
      cause,
      cure: 'Give the user we run as a key of its own (private-key in the machine\'s entry), or the ownership of this one',
    })
  }
  const problem = code === 'EISDIR' ? 'it is a folder' : `it cannot be read (${cause instanceof Error ? cause.message : String(cause)})`
  return failures.ofConfiguration({ code: 'private-key-invalid', step, problem, subject, cause })
}

/** `it is readable only by uid 0`, or the first folder on the way that is closed to us. */
async function whoMayRead(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    try {
      const { uid } = await stat(place)
      const what = place === path ? 'it is readable' : `it is in the folder ${place}, which is open`
      return `${what} only by ${uid === 0 ? 'root' : `uid ${uid}`}`
    } catch {
      if (place === dirname(place)) return 'it is not readable'
    }
  }
}

function whoAmI(): string {
  try {
    const { uid, username } = userInfo()
    return `uid ${uid} (${username})`
  } catch {
    // No passwd entry.
    return `uid ${process.geteuid?.() ?? 'unknown'}`
  }
}
