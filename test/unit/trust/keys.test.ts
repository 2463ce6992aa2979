import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../../src/errors/offload-error.js'
import { parsePrivateKey } from '../../../src/trust/private-key.js'
import { authorizeCommand, displayKey, fingerprint, parsePublicKey } from '../../../src/trust/public-key.js'
import { signerFromKeys } from '../../../src/trust/signer.js'
import { golden, origin } from './golden.js'

const text = (name: string): string => golden(name).toString('latin1')

describe('public keys', () => {
  it('are shown as people know them', () => {
    const ecc = parsePublicKey(text('ecc.pub'), origin)
    expect(displayKey(ecc)).toBe(`Ed25519 ${/#[0-9A-F]{64}#/.exec(text('ecc.pub'))?.[0] ?? ''}`)
    const rsa = parsePublicKey(text('rsa.pub'), origin)
    expect(displayKey(rsa)).toMatch(/^RSA 2048 SHA256:[A-Za-z0-9+/]{43}$/)
    expect(authorizeCommand(rsa)).toBeUndefined()
    expect(displayKey(parsePublicKey('(public-key (ecc (curve "\x1b[31m") (q #00#)))', origin))).toMatch(/^ecc \?\[31m SHA256:/)
  })

  it('have the fingerprint of their canonical form', () => {
    const key = parsePublicKey(text('ecc.pub'), origin)
    const q = Buffer.from(/#([0-9A-F]{64})#/.exec(text('ecc.pub'))?.[1] ?? '', 'hex')
    const canonical = Buffer.concat([Buffer.from('(10:public-key(3:ecc(5:curve7:Ed25519)(1:q32:'), q, Buffer.from(')))')])
    expect(fingerprint(key)).toBe(`SHA256:${createHash('sha256').update(canonical).digest('base64').replace('=', '')}`)
  })

  it.each(['(public-key)', '(public-key a)', '(public-key (rsa (n #01#) (m #01#)))', '(public-key (ecc (q #01#)))', '(public-key (ecc (curve Ed25519) (curve a) (q #01#)))', '(private-key (rsa))'])(
    'refuses %s', (source) => {
      expect(() => parsePublicKey(source, origin)).toThrowError(expect.objectContaining({ code: 'malformed-test' }))
    },
  )
})

describe('private keys', () => {
  it('hold the public half', () => {
    for (const name of ['ecc', 'rsa', 'stranger']) {
      expect(parsePrivateKey(text(`${name}.sec`), origin).publicKey.id).toBe(parsePublicKey(text(`${name}.pub`), origin).id)
    }
  })

  it.each([
    ['another curve', text('ecc.sec').replace('Ed25519', 'Ed448')], ['eddsa', text('ecc.sec').replace('(curve Ed25519)', '(curve Ed25519)(flags eddsa)')],
    ['no d', text('ecc.sec').replace(/\(d .*\)/, '')], ['a long d', text('ecc.sec').replace('(d #', '(d #00')], ['d = 0', text('ecc.sec').replace(/\(d #.*#/, '(d #00#')],
    ['no p', text('rsa.sec').replace(/\(p .*\)/, '')], ['another algorithm', text('ecc.sec').replace('(ecc', '(dsa')], ['a public key', text('ecc.pub')],
  ])('refuses %s without giving it away', (_name, source) => {
    const attempt = (): unknown => parsePrivateKey(source, { ...origin, fault: 'configuration' })
    expect(attempt).toThrow(ConfigurationError)
    const secret = /\(d #([0-9A-F]+)#/.exec(text('ecc.sec'))?.[1] ?? 'missing'
    try {
      attempt()
    } catch (error) {
      expect(JSON.stringify(error) + String(error)).not.toContain(secret.slice(8, 24))
    }
  })

  it('must belong to the public key beside them', () => {
    const half = (name: string): { name: string; content: string } => ({ name, content: text(name) })
    for (const [sec, pub] of [['ecc.sec', 'stranger.pub'], ['ecc.sec', 'rsa.pub'], ['rsa.sec', 'ecc.pub']] as const) {
      expect(() => signerFromKeys(half(sec), half(pub))).toThrowError(expect.objectContaining({ code: 'key-pair-mismatch' }))
    }
  })
})
