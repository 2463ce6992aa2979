import { createHash } from 'node:crypto'
import { parseSexp } from './parse-sexp.js'
import { printCanonical, printInline } from './print-sexp.js'
import { list, SexpDocument } from './sexp.js'
import type { Sexp, SexpOrigin } from './sexp.js'

/**
 * Public keys as Guix keeps them:
 *
 *     (public-key (ecc (curve Ed25519) (q BYTES)))        what `guix archive --generate-key` makes
 *     (public-key (rsa (n BYTES) (e BYTES)))
 *
 * Keys are compared by {@link KeyIdentity.id}, the canonical form of the whole expression, so that spelling does not matter and every byte does.
 */
export type PublicKey = EccPublicKey | RsaPublicKey | OtherPublicKey

export interface KeyIdentity {
  /** Canonical form as Latin-1 text. */
  readonly id: string
  readonly sexp: Sexp
}

export interface EccPublicKey extends KeyIdentity {
  readonly type: 'ecc'
  /** Encoded point: usually the 32 bytes of Ed25519. */
  readonly q: Buffer
}

export interface RsaPublicKey extends KeyIdentity {
  readonly type: 'rsa'
  readonly n: Buffer
  readonly e: Buffer
}

/** A kind this program cannot use; it can still stand in an acl. */
export interface OtherPublicKey extends KeyIdentity {
  readonly type: 'other'
  /** For people: `dsa`, `ecc NIST P-256`. */
  readonly description: string
}

export function keyId(sexp: Sexp): string {
  return printCanonical(sexp).toString('latin1')
}

/** `(public-key …)` inside a document. Kinds not known come back as `other`. */
export function publicKeyFromSexp(document: SexpDocument, sexp: Sexp): PublicKey {
  const [parameters, ...rest] = document.expectList(sexp, 'public-key')
  if (parameters === undefined || rest.length > 0) throw document.fail('(public-key …) has to hold one key', sexp)
  const identity: KeyIdentity = { id: keyId(sexp), sexp }
  const algorithm = SexpDocument.head(parameters)
  if (algorithm === undefined || parameters.kind !== 'list') throw document.fail('a key without algorithm', parameters)
  const values = parameters.items.slice(1)
  if (algorithm === 'rsa' && values.length === 2) {
    return { ...identity, type: 'rsa', n: document.expectBytes(values, 'n', parameters), e: document.expectBytes(values, 'e', parameters) }
  }
  if (algorithm !== 'ecc') return { ...identity, type: 'other', description: printable(algorithm) }
  const curve = document.expectBytes(values, 'curve', parameters).toString('latin1')
  // Anything else among the parameters (`(flags eddsa)`, say) would change what a signature means.
  const plain = values.length === 2 && curve === 'Ed25519'
  return plain
    ? { ...identity, type: 'ecc', q: document.expectBytes(values, 'q', parameters) }
    : { ...identity, type: 'other', description: printable(`ecc ${curve}`) }
}

/** Text of a key file such as `signing-key.pub`. */
export function parsePublicKey(source: Uint8Array | string, origin: SexpOrigin): PublicKey {
  const document = parseSexp(source, origin)
  return publicKeyFromSexp(document, document.root)
}

/** The public half of an Ed25519-curve key, as libgcrypt writes it. */
export function eccPublicKey(q: Uint8Array): EccPublicKey {
  const sexp = list('public-key', list('ecc', list('curve', 'Ed25519'), list('q', q)))
  return { id: keyId(sexp), sexp, type: 'ecc', q: Buffer.from(q) }
}

export function rsaPublicKey(n: Uint8Array, e: Uint8Array): RsaPublicKey {
  const sexp = list('public-key', list('rsa', list('n', n), list('e', e)))
  return { id: keyId(sexp), sexp, type: 'rsa', n: Buffer.from(n), e: Buffer.from(e) }
}

/** `SHA256:…` over the canonical form, as base64 without padding. */
export function fingerprint(key: KeyIdentity): string {
  return `SHA256:${createHash('sha256').update(key.id, 'latin1').digest('base64').replace(/=+$/, '')}`
}

/** For messages: an Ed25519-curve key by its q, as it stands in key files and acl; others by size and fingerprint. */
export function displayKey(key: PublicKey): string {
  switch (key.type) {
    case 'ecc': return `Ed25519 #${key.q.toString('hex').toUpperCase()}#`
    case 'rsa': return `RSA ${bitLength(key.n)} ${fingerprint(key)}`
    case 'other': return `${key.description} ${fingerprint(key)}`
  }
}

/** The command that authorises a key, if it is short enough to be shown; run it as whoever owns Guix's configuration folder. */
export function authorizeCommand(key: PublicKey): string | undefined {
  // Only what was checked to be a curve name and hexadecimal digits may stand in a command that people copy.
  return key.type === 'ecc' ? `echo '${printInline(eccPublicKey(key.q).sexp)}' | guix archive --authorize` : undefined
}

export function bitLength(number: Buffer): number {
  return number.length === 0 ? 0 : BigInt(`0x${number.toString('hex')}`).toString(2).length
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 40)
}
