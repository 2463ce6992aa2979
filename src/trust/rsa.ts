import { constants, createPrivateKey, createPublicKey, privateEncrypt, publicDecrypt } from 'node:crypto'
import type { RsaPrivateKey } from './private-key.js'
import type { RsaPublicKey } from './public-key.js'

/** RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2) over a hash that is already there, which is why the padding is made here. */
const digestInfo = Buffer.from('3031300d060960864801650304020105000420', 'hex')

export function verifyRsa(key: RsaPublicKey, hash: Buffer, signature: Buffer): boolean {
  const length = stripZeros(key.n).length
  const significant = stripZeros(signature)
  if (significant.length > length) return false
  try {
    const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'RSA', n: base64url(key.n), e: base64url(key.e) } })
    const padded = Buffer.concat([Buffer.alloc(length - significant.length), significant])
    return publicDecrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, padded).equals(Buffer.concat([digestInfo, hash]))
  } catch {
    // OpenSSL refuses keys and paddings it does not like with errors of many kinds; all mean that the signature does not verify.
    return false
  }
}

/** @throws Error of any kind for an inconsistent key */
export function signRsa(key: RsaPrivateKey, hash: Buffer): Buffer {
  const d = number(key.d)
  // libgcrypt keeps 1/p mod q, JWK 1/q mod p: the primes change places.
  const [p, q] = [key.q, key.p]
  const privateKey = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'RSA', n: base64url(key.publicKey.n), e: base64url(key.publicKey.e), d: base64url(key.d), p: base64url(p), q: base64url(q),
      dp: base64url(bytes(d % (number(p) - 1n))), dq: base64url(bytes(d % (number(q) - 1n))), qi: base64url(key.u),
    },
  })
  return privateEncrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, Buffer.concat([digestInfo, hash]))
}

function stripZeros(value: Buffer): Buffer {
  const first = value.findIndex((byte) => byte !== 0)
  return first < 0 ? Buffer.alloc(0) : value.subarray(first)
}

function base64url(value: Buffer): string {
  return stripZeros(value).toString('base64url')
}

function number(value: Buffer): bigint {
  return value.length === 0 ? 0n : BigInt(`0x${value.toString('hex')}`)
}

function bytes(value: bigint): Buffer {
  const digits = value.toString(16)
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
}
