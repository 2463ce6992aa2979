import { join } from 'node:path'
import { ConfigurationError } from '../errors/offload-error.js'
import type { SexpOrigin } from '../trust/sexp.js'
import { parsePublicKey } from '../trust/public-key.js'
import type { PublicKey } from '../trust/public-key.js'
import { signerFromKeys } from '../trust/signer.js'
import type { Signer } from '../trust/signer.js'
import { readKeyFile } from './key-file.js'

/**
 * This machine's key pair, `signing-key.sec` and `signing-key.pub` in Guix's configuration folder. Signing with it here saves starting
 * `guix authenticate` for every offload.
 */
const step = 'reading the signing key'
const publicName = 'signing-key.pub'
const secretName = 'signing-key.sec'

/**
 * Undefined: the secret key is not ours to read (an ordinary user's `test`, say), and the local daemon has to sign.
 * @throws ConfigurationError `signing-key-missing`, `signing-key-exposed`, `malformed-key`, `key-pair-mismatch`, `key-file-unreadable`
 */
export async function readSigner(configurationDirectory: string): Promise<Signer | undefined> {
  const name = join(configurationDirectory, secretName)
  const secret = await readKeyFile(name, step)
  if (secret === 'forbidden') return undefined
  if (secret === 'missing') throw missing(name)
  if ((secret.mode & 0o077) !== 0) {
    throw new ConfigurationError({
      code: 'signing-key-exposed', step, problem: 'others than its owner may use the secret key', expected: 'mode 0400', seen: `mode ${secret.mode.toString(8).padStart(4, '0')}`,
      subject: name, cure: `chmod 400 ${name}; if somebody may have read it, make a new pair: guix archive --generate-key`,
    })
  }
  const publicFile = join(configurationDirectory, publicName)
  const open = await readKeyFile(publicFile, step)
  if (open === 'forbidden' || open === 'missing') throw missing(publicFile)
  return signerFromKeys(secret, open)
}

/**
 * The public half alone; undefined if there is none.
 * @throws ConfigurationError `malformed-key`, `key-file-unreadable`
 */
export async function readOwnPublicKey(configurationDirectory: string): Promise<PublicKey | undefined> {
  const file = await readKeyFile(join(configurationDirectory, publicName), step)
  if (typeof file === 'string') return undefined
  const origin: SexpOrigin = { name: file.name, step, code: 'malformed-key', fault: 'configuration' }
  return parsePublicKey(file.content, origin)
}

function missing(name: string): ConfigurationError {
  return new ConfigurationError({
    code: 'signing-key-missing', step, problem: 'this machine has no complete key pair', subject: name,
    cure: 'Make one with `guix archive --generate-key` and authorise its public half on the build machines',
  })
}
