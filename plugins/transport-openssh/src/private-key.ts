/**
 * A look at the private keys before ssh gets them: it passes over a key it cannot use without a word that could be relied on, and all that is left is
 * "Permission denied". OpenSSH's own format names its cipher right after the magic (PROTOCOL.key); the others are PEM.
 */
import { createPrivateKey } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import type { OffloadFailure } from 'guix-offload/plugin-api'
import type { Failures } from './failures.js'

export interface PrivateKeys {
  /** In the order to be tried. */
  readonly paths: readonly string[]
  /** Why others of the usual names are not among them. */
  readonly problems: readonly string[]
}

const step = 'reading the private key'
const magic = Buffer.from('openssh-key-v1\0', 'latin1')
const encrypted = 'it is protected by a passphrase, and nobody is there to enter it'
const invalid = 'private-key-invalid'

/** In the order OpenSSH prefers them by strength and speed. */
export function usualKeys(homeDirectory: string): readonly string[] {
  return ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(homeDirectory, '.ssh', name))
}

/**
 * The key the machine names, or all of the usual ones that can be used.
 * @param required - Whether having none is an error; ssh's own configuration may name others.
 */
export async function checkPrivateKeys(failures: Failures, homeDirectory: string, required: boolean): Promise<PrivateKeys> {
  const named = failures.machine.privateKey
  if (named !== undefined) {
    await checkPrivateKey(failures, named)
    return { paths: [named], problems: [] }
  }
  const candidates = usualKeys(homeDirectory)
  const results = await Promise.allSettled(candidates.map((path) => checkPrivateKey(failures, path)))
  const paths = candidates.filter((_, index) => results[index]?.status === 'fulfilled')
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as OffloadFailure] : []))
  const telling = errors.filter(({ code }) => code !== 'private-key-missing')
  if (paths.length > 0 || !required) return { paths, problems: telling.map(({ report }) => `${report.subject ?? ''}: ${report.problem}`) }
  if (telling[0] !== undefined) throw telling[0]
  throw failures.ofConfiguration({
    code: 'private-key-missing',
    step,
    problem: 'the machine\'s entry names no private key and none of the usual ones exists',
    seen: `nothing at ${candidates.join(', ')}`,
    cure: `Make one with \`ssh-keygen -t ed25519 -N '' -f ${candidates[0] ?? ''}\` as ${whoAmI()}, or name one in the entry (private-key)`,
  })
}

async function checkPrivateKey(failures: Failures, path: string): Promise<void> {
  let contents: Buffer
  try {
    contents = await readFile(path)
  } catch (error) {
    throw await unreadable(failures, path, error)
  }
  const problem = problemWith(contents)
  if (problem !== undefined) throw failures.ofConfiguration({ ...problem, step, subject: path })
  const { uid, mode } = await stat(path)
  // ssh's own rule, which holds for a key of one's own.
  if (uid !== process.geteuid?.() || (mode & 0o077) === 0) return
  throw failures.ofConfiguration({
    code: invalid, step, problem: 'others than its owner may read it, and ssh uses no such key', expected: 'mode 0600',
    seen: `0${(mode & 0o777).toString(8)}`, subject: path, cure: `chmod 600 ${path}`,
  })
}

/** What is wrong with a key's text, if anything. */
export function problemWith(contents: Buffer): { readonly code: string, readonly problem: string, readonly cure: string } | undefined {
  const cure = 'Make a key of its own for offloading without one (ssh-keygen -t ed25519 -N \'\'), or take it away with `ssh-keygen -p`'
  const withoutPassphrase = { code: 'private-key-encrypted', problem: encrypted, cure }
  const text = contents.toString('latin1')
  const [, label, body] = /^-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----\r?\n([^]*?)^-----END \1-----/m.exec(text) ?? []
  if (label === undefined || body === undefined) {
    const isPublic = /^(?:ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/]|BEGIN (?:[A-Z0-9 ]* )?PUBLIC KEY/m.test(text)
    return isPublic
      ? { code: invalid, problem: 'it holds a public key', cure: 'Name the file without .pub' }
      : { code: invalid, problem: 'it is not a private key we know', cure: 'OpenSSH and PEM files can be used; `ssh-keygen -l -f FILE` shows what it is' }
  }
  if (label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: 4,ENCRYPTED/m.test(body)) return withoutPassphrase
  const damaged = { code: invalid, problem: 'it is damaged', cure: 'Copy it anew; `ssh-keygen -y -f FILE` must print its public half' }
  if (label !== 'OPENSSH PRIVATE KEY') {
    try {
      createPrivateKey(text)
      return undefined
    } catch {
      return damaged
    }
  }
  const bytes = Buffer.from(body, 'base64')
  if (!bytes.subarray(0, magic.length).equals(magic) || bytes.length < magic.length + 4) return damaged
  const length = bytes.readUInt32BE(magic.length)
  const cipher = bytes.toString('latin1', magic.length + 4, magic.length + 4 + length)
  return cipher === 'none' ? undefined : withoutPassphrase
}

async function unreadable(failures: Failures, path: string, cause: unknown): Promise<OffloadFailure> {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const report = { step, subject: path, cause }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return failures.ofConfiguration({
      ...report,
      code: 'private-key-missing',
      problem: 'there is no such file',
      cure: 'Check the path (private-key) in the machine\'s entry',
    })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return failures.ofConfiguration({
      ...report,
      code: 'private-key-unreadable',
      problem: `${await whoMayRead(path)}; we run as ${whoAmI()}`,
      cure: 'Give the user we run as a key of its own (private-key in the machine\'s entry), or the ownership of this one',
    })
  }
  return failures.ofConfiguration({
    ...report, code: invalid,
    problem: code === 'EISDIR' ? 'it is a folder' : `it cannot be read (${cause instanceof Error ? cause.message : String(cause)})`,
  })
}

/** Who owns it, or the first folder on the way that is closed to us. */
async function whoMayRead(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    try {
      const { uid } = await stat(place)
      const owner = await userName(uid)
      return place === path ? `it is readable only by ${owner}` : `it is in the folder ${place}, which is open only to ${owner}`
    } catch {
      if (place === dirname(place)) return 'it is not readable'
    }
  }
}

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
