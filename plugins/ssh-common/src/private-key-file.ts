/** Private keys as files: finding, reading, and saying why one cannot be read. What is in them is each transport's own business. */
import { readFile, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import type { OffloadFailure } from 'guix-offload/plugin-api'
import type { Failures } from './failures.js'

const step = 'reading the private key'
export const invalidKey = 'private-key-invalid'

/** What is wrong with the contents of a key's file. */
export interface KeyProblem {
  readonly code: string
  readonly problem: string
  readonly cure: string
}

/** `file` undefined: the usual way of taking a passphrase away is shown without a name. */
export function encryptedKey(file: string | undefined, howToMake = 'ssh-keygen -t ed25519 -N \'\''): KeyProblem {
  const shown = file === undefined ? '' : ` -f ${file}`
  return {
    code: 'private-key-encrypted',
    problem: 'it is protected by a passphrase, and nobody is there to enter it',
    cure: `Make a key of its own for offloading without one (${howToMake}), or take it away with \`ssh-keygen -p${shown}\``,
  }
}

export function keyFailure(failures: Failures, subject: string, problem: KeyProblem): OffloadFailure {
  return failures.ofConfiguration({ ...problem, step, subject })
}

/** @throws OffloadFailure `private-key-missing`, `private-key-unreadable`, `private-key-invalid` */
export async function readKeyFile(failures: Failures, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw await unreadable(failures, path, error)
  }
}

export interface UsualKeys<T> {
  readonly keys: readonly T[]
  /** Why others of the usual names are not among them. */
  readonly problems: readonly string[]
}

/**
 * All of the usual keys that can be used.
 * @param required whether having none is an error
 * @throws OffloadFailure the first telling one where none can be used, `private-key-missing` if none is there
 */
export async function usualKeys<T>(failures: Failures, paths: readonly string[], load: (path: string) => Promise<T>, required = true): Promise<UsualKeys<T>> {
  const results = await Promise.allSettled(paths.map(load))
  const keys = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as OffloadFailure] : []))
  const telling = errors.filter(({ code }) => code !== 'private-key-missing')
  if (keys.length > 0 || !required) return { keys, problems: telling.map(({ report }) => `${report.subject ?? ''}: ${report.problem}`) }
  throw telling[0] ?? noUsualKey(failures, paths)
}

/** @param type what `ssh-keygen -t` is to make */
export function noUsualKey(failures: Failures, paths: readonly string[], type = 'ed25519'): OffloadFailure {
  return failures.ofConfiguration({
    code: 'private-key-missing',
    step,
    problem: `the machine's entry names no private key and none of the usual ones exists`,
    seen: `nothing at ${paths.join(', ')}`,
    cure: `Make one with \`ssh-keygen -t ${type} -N '' -f ${paths.find((path) => path.endsWith(type)) ?? ''}\` as ${whoAmI()}, or name one in the entry (private-key)`,
  })
}

async function unreadable(failures: Failures, path: string, cause: unknown): Promise<OffloadFailure> {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const report = { step, subject: path, cause }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return failures.ofConfiguration({ ...report, code: 'private-key-missing', problem: 'there is no such file', cure: 'Check the path (private-key) in the machine\'s entry' })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return failures.ofConfiguration({
      ...report,
      code: 'private-key-unreadable',
      problem: `${await whoMayRead(path)}; we run as ${whoAmI()}`,
      cure: 'Give the user we run as a key of its own (private-key in the machine\'s entry), or the ownership of this one',
    })
  }
  const problem = code === 'EISDIR' ? 'it is a folder' : `it cannot be read (${cause instanceof Error ? cause.message : String(cause)})`
  return failures.ofConfiguration({ ...report, code: invalidKey, problem })
}

/** Who owns it, or the first folder on the way that is closed to us. */
async function whoMayRead(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    try {
      const owner = await userName((await stat(place)).uid)
      return place === path ? `it is readable only by ${owner}` : `it is in the folder ${place}, which is open only to ${owner}`
    } catch {
      if (place === dirname(place)) return 'it is not readable'
    }
  }
}

/** `uid 998 (guix-daemon)`. */
export function whoAmI(): string {
  try {
    const { uid, username } = userInfo()
    return `uid ${uid} (${username})`
  } catch {
    // No passwd entry.
    return `uid ${process.geteuid?.() ?? 'unknown'}`
  }
}

async function userName(uid: number): Promise<string> {
  const accounts = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const account = accounts.split('\n').map((line) => line.split(':')).find((fields) => fields[2] === String(uid))
  return account?.[0] === undefined ? `uid ${uid}` : `uid ${uid} (${account[0]})`
}
