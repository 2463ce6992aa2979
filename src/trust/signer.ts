import { ConfigurationError } from '../errors/offload-error.js'
import { parsePrivateKey } from './private-key.js'
import { parsePublicKey } from './public-key.js'
import type { PublicKey } from './public-key.js'
import { signHash } from './sign.js'

/** Signs what is sent to build machines. */
export interface Signer {
  readonly publicKey: PublicKey
  /** The text of a signature, in bytes (it may hold Latin-1), of a SHA-256 hash. */
  sign(hash: Uint8Array): Promise<Buffer>
}

export interface KeyText {
  /** File name, for messages. */
  readonly name: string
  readonly content: Uint8Array | string
}

const step = 'reading the signing key'

/**
 * A signer from the texts of `signing-key.sec` and `signing-key.pub`.
 * @throws ConfigurationError `malformed-key`, `key-pair-mismatch`
 */
export function signerFromKeys(secret: KeyText, open: KeyText): Signer {
  const origin = { step, code: 'malformed-key', fault: 'configuration' } as const
  const privateKey = parsePrivateKey(secret.content, { ...origin, name: secret.name })
  const publicKey = parsePublicKey(open.content, { ...origin, name: open.name })
  if (!belongTogether(privateKey.publicKey, publicKey)) {
    throw new ConfigurationError({
      code: 'key-pair-mismatch', step, problem: `it is not the secret half of ${open.name}`, subject: secret.name,
      cure: 'Restore the pair from a backup, or remove both files and make a new pair: guix archive --generate-key',
    })
  }
  return { publicKey, sign: (hash) => signHash(privateKey, hash, publicKey) }
}

function belongTogether(own: PublicKey, other: PublicKey): boolean {
  if (own.type === 'ecc' && other.type === 'ecc') return own.q.equals(other.q)
  if (own.type === 'rsa' && other.type === 'rsa') return own.n.equals(other.n) && own.e.equals(other.e)
  return false
}
