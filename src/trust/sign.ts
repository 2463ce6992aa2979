import { ConfigurationError, InternalError } from '../errors/offload-error.js'
import type { PrivateKey, RsaPrivateKey } from './private-key.js'
import { printAdvanced } from './print-sexp.js'
import type { PublicKey } from './public-key.js'
import { list } from './sexp.js'
import type { SexpList } from './sexp.js'

/**
 * Signs a SHA-256 hash; the result is byte for byte what `guix authenticate` answers for the same keys. Bytes, because it can hold Latin-1
 * (see `print-sexp.ts`).
 */
export async function signHash(privateKey: PrivateKey, hash: Uint8Array, publicKey: PublicKey = privateKey.publicKey): Promise<Buffer> {
  const bytes = Buffer.from(hash)
  if (bytes.length !== 32) throw new InternalError(`a hash of ${bytes.length} bytes to be signed`)
  const flags = privateKey.type === 'rsa' ? 'pkcs1' : 'rfc6979'
  const data = list('data', list('flags', flags), list('hash', 'sha256', bytes))
  return printAdvanced(list('signature', data, list('sig-val', await signatureValue(privateKey, bytes)), publicKey.sexp))
}

async function signatureValue(privateKey: PrivateKey, hash: Buffer): Promise<SexpList> {
  if (privateKey.type === 'ecc') {
    const { signEcdsa } = await import('./ecdsa.js')
    const { r, s } = signEcdsa(privateKey.d, hash)
    return list('ecdsa', list('r', unsigned(r)), list('s', unsigned(s)))
  }
  return list('rsa', list('s', await rsaValue(privateKey, hash)))
}

async function rsaValue(privateKey: RsaPrivateKey, hash: Buffer): Promise<Buffer> {
  const { signRsa } = await import('./rsa.js')
  try {
    return signRsa(privateKey, hash)
  } catch {
    // Without the cause: what a library says about a secret key is not for logs.
    throw new ConfigurationError({
      code: 'malformed-key', step: 'signing', problem: 'the numbers of the RSA key do not belong together', cure: 'Make a new pair: guix archive --generate-key',
    })
  }
}

/** Big-endian without leading zeros, as libgcrypt prints numbers in signatures. */
function unsigned(number: bigint): Buffer {
  const digits = number.toString(16)
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
}
