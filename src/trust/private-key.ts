import type { OffloadError } from '../errors/offload-error.js'
import { parseSexp } from './parse-sexp.js'
import { eccPublicKey, rsaPublicKey } from './public-key.js'
import type { EccPublicKey, RsaPublicKey } from './public-key.js'
import { SexpDocument } from './sexp.js'
import type { SexpOrigin } from './sexp.js'

/**
 * Private keys as `guix archive --generate-key` writes them:
 *
 *     (private-key (ecc (curve Ed25519) (q BYTES) (d BYTES)))
 *     (private-key (rsa (n …) (e …) (d …) (p …) (q …) (u …)))     p < q, u = 1/p mod q
 *
 * No error about one quotes anything of it.
 */
export type PrivateKey = EccPrivateKey | RsaPrivateKey

export interface EccPrivateKey {
  readonly type: 'ecc'
  readonly publicKey: EccPublicKey
  /** The scalar, big-endian, not reduced. */
  readonly d: Buffer
}

export interface RsaPrivateKey {
  readonly type: 'rsa'
  readonly publicKey: RsaPublicKey
  readonly d: Buffer
  readonly p: Buffer
  readonly q: Buffer
  readonly u: Buffer
}

export function parsePrivateKey(source: Uint8Array | string, origin: SexpOrigin): PrivateKey {
  const document = parseSexp(source, origin)
  const [parameters, ...rest] = document.expectList(document.root, 'private-key')
  if (parameters === undefined || rest.length > 0 || parameters.kind !== 'list') throw document.fail('(private-key …) has to hold one key', document.root)
  const values = parameters.items.slice(1)
  const bytes = (name: string): Buffer => document.expectBytes(values, name, parameters)
  switch (SexpDocument.head(parameters)) {
    case 'ecc': {
      if (bytes('curve').toString('latin1') !== 'Ed25519' || values.length !== 3) throw unsupported(document)
      const d = bytes('d')
      if (d.length > 32 || d.every((byte) => byte === 0)) throw document.fail('the secret number is out of range', parameters)
      return { type: 'ecc', publicKey: eccPublicKey(bytes('q')), d }
    }
    case 'rsa':
      return { type: 'rsa', publicKey: rsaPublicKey(bytes('n'), bytes('e')), d: bytes('d'), p: bytes('p'), q: bytes('q'), u: bytes('u') }
    default:
      throw unsupported(document)
  }
}

function unsupported(document: SexpDocument): OffloadError {
  return document.fail('a kind of key that cannot be used here', document.root, { expected: 'RSA, or ecc with curve Ed25519 and nothing but q and d' })
}
