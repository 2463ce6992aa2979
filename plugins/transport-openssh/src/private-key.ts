/**
 * A look at the private keys before ssh gets them: it passes over a key it cannot use without a word that could be relied on, and all that is left is
 * "Permission denied". OpenSSH's own format names its cipher right after the magic (PROTOCOL.key); the others are PEM.
 */
import { createPrivateKey } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Failures } from 'guix-offload-ssh-common/failures.js'
import { encryptedKey, invalidKey, keyFailure, type KeyProblem, readKeyFile, type UsualKeys, usualKeys } from 'guix-offload-ssh-common/private-key-file.js'

const magic = Buffer.from('openssh-key-v1\0', 'latin1')

/** In the order OpenSSH prefers them by strength and speed. */
const usualNames = ['id_ed25519', 'id_ecdsa', 'id_rsa']

/**
 * The path of the key the machine names, or of all of the usual ones that can be used, in the order to be tried.
 * @param required - Whether having none is an error; ssh's own configuration may name others.
 */
export async function checkPrivateKeys(failures: Failures, homeDirectory: string, required: boolean): Promise<UsualKeys<string>> {
  const named = failures.machine.privateKey
  if (named !== undefined) return { keys: [await checkPrivateKey(failures, named)], problems: [] }
  return usualKeys(failures, usualNames.map((name) => join(homeDirectory, '.ssh', name)), (path) => checkPrivateKey(failures, path), required)
}

async function checkPrivateKey(failures: Failures, path: string): Promise<string> {
  const problem = problemWith(await readKeyFile(failures, path))
  if (problem !== undefined) throw keyFailure(failures, path, problem)
  const { uid, mode } = await stat(path)
  // ssh's own rule, which holds for a key of one's own.
  if (uid !== process.geteuid?.() || (mode & 0o077) === 0) return path
  throw failures.ofConfiguration({
    code: invalidKey, step: 'reading the private key', problem: 'others than its owner may read it, and ssh uses no such key', expected: 'mode 0600',
    seen: `0${(mode & 0o777).toString(8)}`, subject: path, cure: `chmod 600 ${path}`,
  })
}

/** What is wrong with a key's text, if anything. */
export function problemWith(contents: Buffer): KeyProblem | undefined {
  const withoutPassphrase = encryptedKey(undefined)
  const text = contents.toString('latin1')
  const [, label, body] = /^-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----\r?\n([^]*?)^-----END \1-----/m.exec(text) ?? []
  if (label === undefined || body === undefined) {
    const isPublic = /^(?:ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/]|BEGIN (?:[A-Z0-9 ]* )?PUBLIC KEY/m.test(text)
    return isPublic
      ? { code: invalidKey, problem: 'it holds a public key', cure: 'Name the file without .pub' }
      : { code: invalidKey, problem: 'it is not a private key we know', cure: 'OpenSSH and PEM files can be used; `ssh-keygen -l -f FILE` shows what it is' }
  }
  if (label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: 4,ENCRYPTED/m.test(body)) return withoutPassphrase
  const damaged = { code: invalidKey, problem: 'it is damaged', cure: 'Copy it anew; `ssh-keygen -y -f FILE` must print its public half' }
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
