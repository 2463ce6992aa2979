import { TrustError } from '../errors/offload-error.js'
import type { Acl } from './acl.js'
import { parseSexp } from './parse-sexp.js'
import { authorizeCommand, displayKey, publicKeyFromSexp } from './public-key.js'
import type { PublicKey } from './public-key.js'
import type { SexpDocument } from './sexp.js'
import type { Sexp } from './sexp.js'

/**
 * Signatures of store items:
 *
 *     (signature
 *       (data (flags rfc6979) (hash sha256 BYTES))
 *       (sig-val (ecdsa (r BYTES) (s BYTES)))
 *       (public-key (ecc (curve Ed25519) (q BYTES))))
 *
 * or `(flags pkcs1)`, `(rsa (s BYTES))` and an RSA key. Each part is there once and at its place: stock looks for the first one anywhere.
 */
export interface Signature {
  readonly key: PublicKey
  readonly hash: Buffer
  readonly value: { readonly type: 'ecdsa'; readonly r: Buffer; readonly s: Buffer } | { readonly type: 'rsa'; readonly s: Buffer } | { readonly type: 'other' }
}

/** What a signature is of, for messages. */
export interface SignedItem {
  /** Store path. */
  readonly item?: string | undefined
  /** The machine it came from. */
  readonly machine?: string | undefined
}

const step = 'checking the signature'
const sha256Length = 32

/** @throws TrustError `malformed-signature` */
export function parseSignature(source: Uint8Array | string, { item, machine }: SignedItem = {}): Signature {
  const name = item === undefined ? 'signature' : `signature of ${item}`
  const document = parseSexp(source, { name, step, code: 'malformed-signature', fault: 'trust', machine })
  const parts = document.expectFields(document.root, 'signature', ['data', 'sig-val', 'public-key'])
  const part = (head: string): Sexp => document.expectOne(parts, head, document.root)
  const key = publicKeyFromSexp(document, part('public-key'))
  return { key, hash: signedHash(document, part('data'), key), value: signatureValue(document, part('sig-val'), key) }
}

function signedHash(document: SexpDocument, data: Sexp, key: PublicKey): Buffer {
  const values = document.expectFields(data, 'data', ['flags', 'hash'])
  const flags = document.expectBytes(values, 'flags', data).toString('latin1')
  const expectedFlags = key.type === 'rsa' ? 'pkcs1' : 'rfc6979'
  if (key.type !== 'other' && flags !== expectedFlags) throw document.fail('unexpected flags', data, { expected: expectedFlags })
  const hash = document.expectOne(values, 'hash', data)
  const [, algorithm, bytes, ...rest] = hash.items
  if (algorithm?.kind !== 'atom' || bytes?.kind !== 'atom' || rest.length > 0) throw document.fail('(hash …) has to hold a name and a value', hash)
  if (algorithm.bytes.toString('latin1') !== 'sha256') throw document.fail('unexpected hash algorithm', hash, { expected: 'sha256' })
  if (bytes.bytes.length !== sha256Length) throw document.fail('wrong length of the hash', hash, { expected: `${sha256Length}`, seen: `${bytes.bytes.length}` })
  return bytes.bytes
}

function signatureValue(document: SexpDocument, sigVal: Sexp, key: PublicKey): Signature['value'] {
  const [value, ...rest] = document.expectList(sigVal, 'sig-val')
  if (value === undefined || rest.length > 0) throw document.fail('(sig-val …) has to hold one value', sigVal)
  switch (key.type) {
    case 'other': return { type: 'other' }
    case 'ecc': {
      const numbers = document.expectFields(value, 'ecdsa', ['r', 's'])
      return { type: 'ecdsa', r: document.expectBytes(numbers, 'r', value), s: document.expectBytes(numbers, 's', value) }
    }
    case 'rsa': return { type: 'rsa', s: document.expectBytes(document.expectFields(value, 'rsa', ['s']), 's', value) }
  }
}

/**
 * Checks that `source` is a signature of `expectedHash` by a key of the acl.
 *
 * @throws TrustError `malformed-signature`, `unauthorized-key`, `hash-mismatch`, `bad-signature`, `unsupported-key`; they are looked for in this order
 */
export async function verifySignature(source: Uint8Array | string, expectedHash: Buffer, acl: Acl, subject: SignedItem = {}): Promise<{ readonly key: PublicKey }> {
  const signature = parseSignature(source, subject)
  const { key, hash } = signature
  const refuse = (code: string, problem: string, details: { expected?: string; seen?: string; cure?: string }): TrustError =>
    new TrustError({ code, step, problem, ...details, subject: subject.item, machine: subject.machine })
  if (!acl.has(key)) {
    throw refuse('unauthorized-key', 'the key it is signed with is not authorised here', { seen: displayKey(key), cure: authorizationCure(key, subject.machine) })
  }
  if (!hash.equals(expectedHash)) {
    throw refuse('hash-mismatch', 'the signature is of other data', { expected: `sha256 ${expectedHash.toString('hex')}`, seen: `sha256 ${hash.toString('hex')}` })
  }
  if (key.type === 'other') {
    throw refuse('unsupported-key', 'this kind of key cannot be checked', { expected: 'Ed25519 or RSA', seen: displayKey(key), cure: 'Give the machine a new key pair: guix archive --generate-key' })
  }
  if (!(await verifies(key, hash, signature.value))) {
    throw refuse('bad-signature', 'the signature does not verify', {
      seen: displayKey(key), cure: 'Check that signing-key.pub and signing-key.sec of the machine that signed belong together',
    })
  }
  return { key }
}

async function verifies(key: PublicKey, hash: Buffer, value: Signature['value']): Promise<boolean> {
  if (key.type === 'ecc' && value.type === 'ecdsa') {
    const { toBigInt, verifyEcdsa } = await import('./ecdsa.js')
    return verifyEcdsa(key.q, hash, { r: toBigInt(value.r), s: toBigInt(value.s) })
  }
  if (key.type === 'rsa' && value.type === 'rsa') {
    const { verifyRsa } = await import('./rsa.js')
    return verifyRsa(key, hash, value.s)
  }
  return false
}

/** The key comes from the machine itself: nobody should authorise it unseen. */
function authorizationCure(key: PublicKey, machine: string | undefined): string {
  const owner = machine === undefined ? 'the machine' : machine
  const command = authorizeCommand(key)
  return command === undefined
    ? `Copy signing-key.pub of ${owner} here in a way you trust and authorise it: guix archive --authorize < signing-key.pub`
    : `If that is what /etc/guix/signing-key.pub of ${owner} says, authorise it: ${command}`
}
