import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { signEcdsa, verifyEcdsa } from '../../../src/trust/ecdsa.js'
import { decodePoint, order } from '../../../src/trust/edwards-curve.js'
import { parsePrivateKey } from '../../../src/trust/private-key.js'
import { golden, origin } from './golden.js'

const key = ((): { d: Buffer; q: Buffer } => {
  const parsed = parsePrivateKey(golden('ecc.sec'), origin)
  if (parsed.type !== 'ecc') throw new Error('not an ecc key')
  return { d: parsed.d, q: parsed.publicKey.q }
})()
const hash = Buffer.alloc(32, 0x5a)
const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes))
const p = 2n ** 255n - 19n

function encoded(y: bigint, sign = 0): Buffer {
  const bytes = Buffer.from(y.toString(16).padStart(64, '0'), 'hex').reverse()
  bytes.writeUInt8(bytes.readUInt8(31) | (sign << 7), 31)
  return bytes
}

describe('ECDSA over the Ed25519 curve', () => {
  it('verifies what it signed, and nothing with a bit changed that counts', () => {
    fc.assert(fc.property(hashes, fc.nat(252), (message, bit) => {
      const { r, s } = signEcdsa(key.d, message)
      expect(verifyEcdsa(key.q, message, { r, s })).toBe(true)
      expect(verifyEcdsa(key.q, message, { r: r ^ (1n << BigInt(bit)), s })).toBe(false)
      expect(verifyEcdsa(key.q, message, { r, s: s ^ (1n << BigInt(bit)) })).toBe(false)
      const changed = Buffer.from(message)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (0x80 >> (bit & 7)), bit >> 3)
      expect(verifyEcdsa(key.q, changed, { r, s })).toBe(false)
    }), { numRuns: 25 })
  })

  it('refuses every other key', () => {
    const value = signEcdsa(key.d, hash)
    for (let bit = 0; bit < 256; bit += 1) {
      const q = Buffer.from(key.q)
      q.writeUInt8(q.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(verifyEcdsa(q, hash, value)).toBe(false)
    }
  })

  it.each([[0n, 1n], [1n, 0n], [order, 1n], [1n, order], [-1n, 1n], [order + 1n, 1n], [1n, 2n ** 256n]])('refuses r = %s, s = %s', (r, s) => {
    expect(verifyEcdsa(key.q, hash, { r, s })).toBe(false)
  })

  it('refuses r and s shifted by the order', () => {
    const { r, s } = signEcdsa(key.d, hash)
    expect(verifyEcdsa(key.q, hash, { r: r + order, s })).toBe(false)
    expect(verifyEcdsa(key.q, hash, { r, s: s + order })).toBe(false)
  })

  it('ignores the three bits beyond the order, as ECDSA does', () => {
    const other = Buffer.from(hash)
    other.writeUInt8(hash.readUInt8(31) ^ 7, 31)
    expect(verifyEcdsa(key.q, other, signEcdsa(key.d, hash))).toBe(true)
  })

  it('signs with secrets of any length', () => {
    const { r, s } = signEcdsa(Buffer.of(8), hash)
    const { q } = { q: Buffer.from('b4b937fca95b2f1e93e41e62fc3c78818ff38a66096fad6e7973e5c90006d321', 'hex') }
    expect(verifyEcdsa(q, hash, { r, s })).toBe(true)
  })
})

describe('points', () => {
  it('reads the three encodings of libgcrypt', () => {
    const point = decodePoint(key.q)
    expect(point).toBeDefined()
    const { x, y } = point?.toAffine() ?? { x: 0n, y: 0n }
    const plain = Buffer.from(`04${x.toString(16).padStart(64, '0')}${y.toString(16).padStart(64, '0')}`, 'hex')
    expect(decodePoint(plain)?.toAffine()).toEqual({ x, y })
    expect(decodePoint(Buffer.concat([Buffer.of(0x40), key.q]))?.toAffine()).toEqual({ x, y })
    expect(decodePoint(Buffer.concat([plain.subarray(0, 64), Buffer.of(plain.readUInt8(64) ^ 1)]))).toBeUndefined()
  })

  it.each([
    ['the neutral element', encoded(1n)], ['the same with a sign', encoded(1n, 1)], ['order 2', encoded(p - 1n)], ['order 4', encoded(0n)], ['order 4, sign', encoded(0n, 1)],
    ['order 8', Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'hex')],
    ['order 8', Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex')],
    ['not canonical: y = p', encoded(p)], ['not canonical: y = p + 1', encoded(p + 1n)], ['y = 2^255 - 1', encoded(2n ** 255n - 1n)], ['no bytes', Buffer.alloc(0)],
    ['31 bytes', Buffer.alloc(31, 1)], ['33 bytes', Buffer.alloc(33, 1)], ['65 bytes', Buffer.alloc(65, 4)], ['not on the curve', encoded(2n)],
  ])('refuses %s', (_name, bytes) => {
    expect(decodePoint(bytes)).toBeUndefined()
  })
})
