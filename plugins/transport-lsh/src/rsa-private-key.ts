/**
 * Private RSA keys for lsh: from OpenSSH's own file format (PROTOCOL.key, unencrypted) and PEM (PKCS#1, PKCS#8) to `(private-key (rsa-pkcs1 (n …) (e …) (d …)
 * (p …) (q …) (a …) (b …) (c …)))`, where a = d mod p-1, b = d mod q-1 and c = q⁻¹ mod p. What already is lsh's is passed on as it is.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { WireReader, wireString } from 'guix-offload-ssh-common/wire.js'
import { encodeCanonical, positiveInteger } from './s-expression.js'

export interface LshKey {
  /** What lsh reads. Secret. */
  readonly identity: Buffer
  /** The public half as it goes over the wire; undefined where the key is lsh's own, which only lsh needs to understand. */
  readonly publicBlob: Buffer | undefined
}

/** Why a file cannot be used. */
export interface Unusable {
  readonly unusable: 'encrypted' | 'public' | 'other-type' | 'unknown'
  readonly detail: string
}

type Numbers = Readonly<Record<'n' | 'e' | 'd' | 'p' | 'q' | 'a' | 'b' | 'c', Buffer>>

const opensshMagic = 'openssh-key-v1\0'
const unknown = (detail: string): Unusable => ({ unusable: 'unknown', detail })

export function convertPrivateKey(contents: Buffer): LshKey | Unusable {
  const text = contents.toString('latin1')
  const own = /^[({]/.test(text) ? ownFormat(text) : undefined
  if (own !== undefined) return own === 'usable' ? { identity: contents, publicBlob: undefined } : own
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----/m.test(text) || /^Proc-Type: 4,ENCRYPTED/m.test(text)) return { unusable: 'encrypted', detail: '' }
  if (/^(?:ssh|ecdsa)-\S+ AAAA/.test(text) || /^-----BEGIN (?:RSA )?PUBLIC KEY-----/m.test(text)) return { unusable: 'public', detail: '' }
  const openssh = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----/.exec(text)
  try {
    const numbers = openssh === null ? fromPem(text) : fromOpenssh(Buffer.from(openssh[1] ?? '', 'base64'))
    if ('unusable' in numbers) return numbers
    const order = ['n', 'e', 'd', 'p', 'q', 'a', 'b', 'c'] as const
    return {
      identity: encodeCanonical(['private-key', ['rsa-pkcs1', ...order.map((name) => [name, numbers[name]])]]),
      publicBlob: Buffer.concat([wireString(Buffer.from('ssh-rsa')), wireString(numbers.e), wireString(numbers.n)]),
    }
  } catch (error) {
    return unknown(error instanceof Error ? error.message : String(error))
  }
}

/** Canonical or, within braces, in base64. */
function ownFormat(text: string): 'usable' | Unusable {
  const plain = text.startsWith('{') ? Buffer.from(text.slice(1), 'base64').toString('latin1') : text
  if (plain.startsWith('(11:private-key(')) return 'usable'
  if (plain.startsWith('(10:public-key(')) return { unusable: 'public', detail: '' }
  if (/^\(\d+:password-encrypted/.test(plain)) return { unusable: 'encrypted', detail: '' }
  return unknown('an s-expression, but no private key')
}

function fromPem(text: string): Numbers | Unusable {
  const key = createPrivateKey(text)
  if (key.asymmetricKeyType !== 'rsa') return { unusable: 'other-type', detail: key.asymmetricKeyType ?? 'unknown' }
  const jwk = key.export({ format: 'jwk' })
  const number = (value: string | undefined): Buffer => positiveInteger(Buffer.from(value ?? '', 'base64url'))
  return {
    n: number(jwk.n), e: number(jwk.e), d: number(jwk.d), p: number(jwk.p), q: number(jwk.q),
    a: number(jwk.dp), b: number(jwk.dq), c: number(jwk.qi),
  }
}

function fromOpenssh(bytes: Buffer): Numbers | Unusable {
  if (bytes.toString('latin1', 0, opensshMagic.length) !== opensshMagic) return unknown('damaged')
  const outer = new WireReader(bytes.subarray(opensshMagic.length))
  const cipher = outer.text()
  outer.string()
  outer.string()
  if (cipher !== 'none') return { unusable: 'encrypted', detail: cipher }
  if (outer.uint32() !== 1) return unknown('not exactly one key')
  outer.string()
  const inner = new WireReader(outer.string())
  if (inner.uint32() !== inner.uint32()) return unknown('damaged')
  const type = inner.text()
  if (type !== 'ssh-rsa') return { unusable: 'other-type', detail: type }
  const [n, e, d, c, p, q] = Array.from({ length: 6 }, () => positiveInteger(inner.string())) as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer]
  const numbers = { n, e, d, p, q, a: remainder(d, p), b: remainder(d, q), c }
  // Whether the numbers belong together is for OpenSSL to say.
  createPublicKey({ format: 'jwk', key: { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') } })
  return numbers
}

/** d mod (prime - 1). */
function remainder(d: Buffer, prime: Buffer): Buffer {
  const value = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`)
  const hex = (value(d) % (value(prime) - 1n)).toString(16)
  return positiveInteger(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'))
}
