/**
 * Private keys from files: OpenSSH's own format, PEM (PKCS#1, SEC 1) and, for RSA and EC keys, PKCS#8. No passphrases, since nobody is there to type one,
 * and no agent.
 */
import { createPrivateKey } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import type { OffloadFailure } from 'guix-offload/plugin-api'
import type { ParsedKey, utils } from 'ssh2'
import type { Failures } from './failures.js'
import { describeKey } from './host-key.js'

export interface PrivateKey {
  readonly path: string
  readonly key: ParsedKey
  /** `TYPE SHA256:…` of its public half. */
  readonly description: string
}

export interface PrivateKeys {
  /** At least one, in the order to be tried. */
  readonly keys: readonly PrivateKey[]
  /** Why others of the usual names are not among them. */
  readonly problems: readonly string[]
}

/** In the order OpenSSH prefers them by strength and speed. */
const usualNames = ['id_ed25519', 'id_ecdsa', 'id_rsa']
const step = 'reading the private key'

type ParseKey = typeof utils.parseKey

/** The key the machine names, or all of the usual ones that can be used. */
export async function loadPrivateKeys(failures: Failures, homeDirectory: string, parseKey: ParseKey): Promise<PrivateKeys> {
  const named = failures.machine.privateKey
  if (named !== undefined) return { keys: [await loadPrivateKey(failures, named, parseKey)], problems: [] }
  const paths = usualNames.map((name) => join(homeDirectory, '.ssh', name))
  const results = await Promise.allSettled(paths.map((path) => loadPrivateKey(failures, path, parseKey)))
  const keys = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as OffloadFailure] : []))
  const telling = errors.filter((error) => error.code !== 'private-key-missing')
  if (keys.length > 0) return { keys, problems: telling.map((error) => `${error.report.subject ?? ''}: ${error.report.problem}`) }
  if (telling[0] !== undefined) throw telling[0]
  throw failures.ofConfiguration({
    code: 'private-key-missing',
    step,
    problem: 'the machine\'s entry names no private key and none of the usual ones exists',
    seen: `nothing at ${paths.join(', ')}`,
    cure: `Make one with \`ssh-keygen -t ed25519 -N '' -f ${paths[0] ?? ''}\` as ${whoAmI()}, or name one in the entry (private-key)`,
  })
}

async function loadPrivateKey(failures: Failures, path: string, parseKey: ParseKey): Promise<PrivateKey> {
  let contents: Buffer
  try {
    contents = await readFile(path)
  } catch (error) {
    throw await unreadable(failures, path, error)
  }
  const invalid = (problem: string, cure: string, code = 'private-key-invalid') => failures.ofConfiguration({ code, step, problem, subject: path, cure })
  const text = contents.toString('latin1')
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----/m.test(text)) throw invalid(encrypted, encryptedCure(path), 'private-key-encrypted')
  const parsed: unknown = parseKey(fromPkcs8(text) ?? contents)
  const key = (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey | Error
  if (key instanceof Error) {
    if (/encrypted/i.test(key.message)) throw invalid(encrypted, encryptedCure(path), 'private-key-encrypted')
    throw invalid(`it is not a private key we can read (${key.message})`, 'OpenSSH and PEM files with RSA, ECDSA or Ed25519 keys can be read; `ssh-keygen -l -f FILE` shows what it is')
  }
  if (!key.isPrivateKey()) throw invalid('it holds a public key', 'Name the file without .pub')
  return { path, key, description: describeKey(key.getPublicSSH()) }
}

const encrypted = 'it is protected by a passphrase, and nobody is there to enter it'
const encryptedCure = (path: string) => `Make a key of its own for offloading without one (ssh-keygen -t ed25519 -N ''), or take it away with \`ssh-keygen -p -f ${path}\``

/** PKCS#8 is what OpenSSL writes and ssh2 cannot read; the older PEM forms say the same. */
function fromPkcs8(text: string): string | undefined {
  if (!/^-----BEGIN PRIVATE KEY-----/m.test(text)) return undefined
  try {
    const key = createPrivateKey(text)
    if (key.asymmetricKeyType === 'rsa') return key.export({ type: 'pkcs1', format: 'pem' }).toString()
    if (key.asymmetricKeyType === 'ec') return key.export({ type: 'sec1', format: 'pem' }).toString()
  } catch {
    // Left to ssh2, which says what it is.
  }
  return undefined
}

async function unreadable(failures: Failures, path: string, cause: unknown): Promise<OffloadFailure> {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const subject = path
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return failures.ofConfiguration({ code: 'private-key-missing', step, problem: 'there is no such file', subject, cause, cure: 'Check the path (private-key) in the machine\'s entry' })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    const reader = await whoMayRead(path)
    return failures.ofConfiguration({
      code: 'private-key-unreadable',
      step,
      problem: `${reader}; we run as ${whoAmI()}`,
      subject,
      cause,
      cure: 'Give the user we run as a key of its own (private-key in the machine\'s entry), or the ownership of this one',
    })
  }
  return failures.ofConfiguration({
    code: 'private-key-invalid',
    step,
    problem: code === 'EISDIR' ? 'it is a folder' : `it cannot be read (${cause instanceof Error ? cause.message : String(cause)})`,
    subject,
    cause,
  })
}

/** `readable only by root`, or the first folder on the way that is closed to us. */
async function whoMayRead(path: string): Promise<string> {
  try {
    const { uid } = await stat(path)
    return `it is readable only by ${await userName(uid)}`
  } catch {
    for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
      try {
        const { uid } = await stat(folder)
        return `it is in the folder ${folder}, which is open only to ${await userName(uid)}`
      } catch {
        // The one above tells.
      }
    }
    return 'it is not readable'
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

async function userName(uid: number): Promise<string> {
  const accounts = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const account = accounts.split('\n').map((line) => line.split(':')).find((fields) => fields[2] === String(uid))
  return account?.[0] === undefined ? `uid ${uid}` : `uid ${uid} (${account[0]})`
}
