/**
 * Private keys from files: OpenSSH's own format, PEM (PKCS#1, SEC 1) and, for RSA and EC keys, PKCS#8. No passphrases, since nobody is there to type one,
 * and no agent.
 */
import { createPrivateKey } from 'node:crypto'
import { join } from 'node:path'
import type { Failures } from 'guix-offload-ssh-common/failures.js'
import { encryptedKey, invalidKey, keyFailure, readKeyFile, type UsualKeys, usualKeys } from 'guix-offload-ssh-common/private-key-file.js'
import type { ParsedKey, utils } from 'ssh2'
import { describeKey } from './host-key.js'

export interface PrivateKey {
  readonly path: string
  readonly key: ParsedKey
  /** `TYPE SHA256:…` of its public half. */
  readonly description: string
}

/** In the order OpenSSH prefers them by strength and speed. */
const usualNames = ['id_ed25519', 'id_ecdsa', 'id_rsa']

type ParseKey = typeof utils.parseKey

/** The key the machine names, or all of the usual ones that can be used, in the order to be tried: at least one. */
export async function loadPrivateKeys(failures: Failures, homeDirectory: string, parseKey: ParseKey): Promise<UsualKeys<PrivateKey>> {
  const named = failures.machine.privateKey
  if (named !== undefined) return { keys: [await loadPrivateKey(failures, named, parseKey)], problems: [] }
  return usualKeys(failures, usualNames.map((name) => join(homeDirectory, '.ssh', name)), (path) => loadPrivateKey(failures, path, parseKey))
}

async function loadPrivateKey(failures: Failures, path: string, parseKey: ParseKey): Promise<PrivateKey> {
  const contents = await readKeyFile(failures, path)
  const invalid = (problem: string, cure: string) => keyFailure(failures, path, { code: invalidKey, problem, cure })
  const text = contents.toString('latin1')
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----/m.test(text)) throw keyFailure(failures, path, encryptedKey(path))
  const parsed: unknown = parseKey(fromPkcs8(text) ?? contents)
  const key = (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey | Error
  if (key instanceof Error) {
    if (/encrypted/i.test(key.message)) throw keyFailure(failures, path, encryptedKey(path))
    throw invalid(`it is not a private key we can read (${key.message})`, 'OpenSSH and PEM files with RSA, ECDSA or Ed25519 keys can be read; `ssh-keygen -l -f FILE` shows what it is')
  }
  if (!key.isPrivateKey()) throw invalid('it holds a public key', 'Name the file without .pub')
  return { path, key, description: describeKey(key.getPublicSSH()) }
}

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
