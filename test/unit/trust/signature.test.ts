import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OffloadError, TrustError } from '../../../src/errors/offload-error.js'
import { aclOf, parseAcl } from '../../../src/trust/acl.js'
import { parseSexp } from '../../../src/trust/parse-sexp.js'
import { printCanonical } from '../../../src/trust/print-sexp.js'
import { parseSignature, verifySignature } from '../../../src/trust/signature.js'
import { signerFromKeys } from '../../../src/trust/signer.js'
import { golden, origin, signatures, signer, verdicts } from './golden.js'

const acl = parseAcl(golden('acl'), '/etc/guix/acl')
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const ours = (name: string): { hash: Buffer; text: string } => {
  const found = signatures.findLast(({ key }) => key === name)
  if (found === undefined) throw new Error(`no signature by ${name}`)
  return { hash: Buffer.from(found.hash, 'hex'), text: found.signature }
}

async function failure(promise: Promise<unknown>): Promise<OffloadError> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason)
  if (!(error instanceof OffloadError)) throw new Error(`not one of our errors: ${String(error)}`)
  return error
}

describe('signing', () => {
  it.each(['ecc', 'rsa', 'stranger'])('gives the bytes of guix authenticate, %s', async (name) => {
    const own = signer(name)
    const wanted = signatures.filter(({ key }) => key === name)
    expect(wanted.length).toBeGreaterThan(1)
    for (const { hash, signature } of wanted) expect((await own.sign(Buffer.from(hash, 'hex'))).toString('latin1')).toBe(signature)
  })

  it('refuses what is no SHA-256 hash', async () => {
    expect(await failure(signer('ecc').sign(Buffer.alloc(20)))).toMatchObject({ fault: 'internal' })
  })
})

describe('a broken RSA key', () => {
  it('is refused without a word about its numbers', async () => {
    const broken = golden('rsa.sec').toString('latin1').replace(/\(p #[^#]*#/, '(p #01#')
    const own = signerFromKeys({ name: 'sec', content: broken }, { name: 'pub', content: golden('rsa.pub') })
    const error = await failure(own.sign(Buffer.alloc(32)))
    expect(error).toMatchObject({ code: 'malformed-key', fault: 'configuration' })
    expect(error.cause).toBeUndefined()
  })
})

describe('verifying', () => {
  it.each(verdicts)('agrees with Guix: $name', async ({ hash, signature, guix15 }) => {
    const signed = ((): Buffer => {
      try {
        return parseSignature(signature).hash
      } catch {
        return Buffer.from(hash, 'hex')
      }
    })()
    const check = verifySignature(signature, signed, acl)
    if (guix15.code === 0) {
      await check
      expect(signed.toString('hex')).toBe(guix15.text)
      return
    }
    const codes: Record<string, readonly string[]> = {
      'unauthorized public key': ['unauthorized-key'],
      'invalid signature': ['bad-signature', 'malformed-signature'],
      'corrupt signature data': ['malformed-signature'],
      'guix authenticate ended': ['malformed-signature'],
    }
    expect(codes[guix15.text]).toContain((await failure(check)).code)
  })

  it('accepts the canonical form, as bytes and as text', async () => {
    const { hash, text } = ours('ecc')
    const canonical = printCanonical(parseSexp(text, origin).root)
    expect((await verifySignature(canonical, hash, acl)).key).toMatchObject({ type: 'ecc' })
    expect((await verifySignature(canonical.toString('latin1'), hash, acl)).key.id).toBe(signer('ecc').publicKey.id)
  })

  it('tells an unauthorised key and how to authorise it', async () => {
    const { hash, text } = ours('stranger')
    const error = await failure(verifySignature(bytes(text), hash, acl, { item: '/gnu/store/abc-x', machine: 'b1' }))
    expect(error).toBeInstanceOf(TrustError)
    const q = /q (#[0-9A-F]+#)/.exec(golden('stranger.pub').toString())?.[1] ?? ''
    expect(error.report).toMatchObject({ code: 'unauthorized-key', machine: 'b1', subject: '/gnu/store/abc-x', seen: `Ed25519 ${q}` })
    expect(error.report.cure).toContain(`echo '(public-key (ecc (curve Ed25519) (q ${q})))' | guix archive --authorize`)
    expect(error.message).not.toContain('\n')
  })

  it('tells a hash that differs', async () => {
    const { text } = ours('ecc')
    const error = await failure(verifySignature(text, Buffer.alloc(32), acl, { item: '/gnu/store/abc-x', machine: 'b1' }))
    expect(error.report).toMatchObject({ code: 'hash-mismatch', machine: 'b1', subject: '/gnu/store/abc-x', expected: `sha256 ${'00'.repeat(32)}` })
  })

  it('tells a signature that does not verify', async () => {
    const { hash, text } = ours('rsa')
    const error = await failure(verifySignature(text.replace(/\(s #..../, '(s #0000'), hash, acl, { machine: 'b1' }))
    expect(error.report).toMatchObject({ code: 'bad-signature', machine: 'b1' })
  })

  it('tells where a signature is malformed', async () => {
    const error = await failure(verifySignature('(signature\n (data', Buffer.alloc(32), acl, { item: '/gnu/store/abc-x', machine: 'b1' }))
    expect(error.report).toMatchObject({ code: 'malformed-signature', machine: 'b1', subject: 'signature of /gnu/store/abc-x:2:7' })
  })

  it('tells a key of a kind it cannot check', async () => {
    const text = ours('ecc').text.replace('Ed25519', '"NIST P-256"')
    const { hash, key } = parseSignature(text)
    expect(await failure(verifySignature(text, hash, acl))).toMatchObject({ code: 'unauthorized-key' })
    expect(await failure(verifySignature(text, hash, aclOf([key])))).toMatchObject({ code: 'unsupported-key', report: { seen: expect.stringContaining('NIST P-256') as unknown } })
  })

  it('does not take an EdDSA key for ours', async () => {
    const text = ours('ecc').text.replace('(curve Ed25519)', '(curve Ed25519)(flags eddsa)')
    const { hash, key } = parseSignature(text)
    expect(await failure(verifySignature(text, hash, aclOf([key])))).toMatchObject({ code: 'unsupported-key' })
  })

  it.each([
    ['a second public key', (text: string) => text.replace('(signature', `(signature ${golden('stranger.pub').toString()}`)],
    ['a second hash', (text: string) => text.replace('(flags rfc6979)', `(flags rfc6979) (hash sha256 #${'00'.repeat(32)}#)`)],
    ['a public key hidden deeper', (text: string) => text.replace('(public-key', '(comment (public-key').replace(/\)\s*$/, '))')],
    ['the raw flag', (text: string) => text.replace('rfc6979', 'raw')],
    ['another hash algorithm', (text: string) => text.replace('sha256', 'sha512')],
    ['a short hash', (text: string) => text.replace(/sha256 #../, 'sha256 #')],
    ['an EdDSA value', (text: string) => text.replace('ecdsa', 'eddsa')],
    ['a stray atom', (text: string) => text.replace('(ecdsa', '(ecdsa *')],
    ['two r', (text: string) => text.replace('(r ', '(r #01#)(r ')],
  ])('refuses %s', async (_name, alter) => {
    const { hash, text } = ours('ecc')
    expect(alter(text)).not.toBe(text)
    expect(await failure(verifySignature(alter(text), hash, acl))).toMatchObject({ code: 'malformed-signature' })
  })

  it('never accepts an altered signature, and fails only with our errors', async () => {
    const { hash, text } = ours('ecc')
    const original = bytes(text)
    const meaning = (source: Buffer): string => printCanonical(parseSexp(source, origin).root).toString('latin1')
    await fc.assert(fc.asyncProperty(fc.nat(original.length - 1), fc.nat(255), async (at, byte) => {
      const altered = Buffer.from(original)
      altered[at] = byte
      const error: unknown = await verifySignature(altered, hash, acl).then(() => undefined, (reason: unknown) => reason)
      if (error === undefined) expect(meaning(altered)).toBe(meaning(original))
      else expect(error).toBeInstanceOf(TrustError)
    }), { numRuns: 500 })
  })
})
