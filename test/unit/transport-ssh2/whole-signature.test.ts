import { generateKeyPairSync, sign, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wholeSignature } from '../../../plugins/transport-ssh2/src/whole-signature.js'

const string = (bytes: Uint8Array | string): Buffer => {
  const content = Buffer.from(bytes)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return Buffer.concat([length, content])
}
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
const { n = '', e = '' } = publicKey.export({ format: 'jwk' })
const modulus = Buffer.from(n, 'base64url')
// Its highest bit is set: as a positive number it starts with a zero byte.
const hostKey = Buffer.concat([string('ssh-rsa'), string(Buffer.from(e, 'base64url')), string(Buffer.concat([Buffer.alloc(1), modulus]))])

describe('a signature on the wire', () => {
  it('gets back the zeros that lshd has left out', () => {
    let [message, signature] = [0, Buffer.alloc(0)]
    // One in 256.
    for (; message < 20_000 && signature[0] !== 0; message += 1) signature = sign('sha1', Buffer.from(String(message)), privateKey)
    const short = signature.subarray(signature.findIndex((byte) => byte !== 0))
    const data = Buffer.from(String(message - 1))
    expect(verify('sha1', data, publicKey, short)).toBe(false)
    const whole = wholeSignature(hostKey, Buffer.concat([string('ssh-rsa'), string(short)]))
    expect(whole).toEqual(Buffer.concat([string('ssh-rsa'), string(signature)]))
    expect(verify('sha1', data, publicKey, whole.subarray(4 + 7 + 4))).toBe(true)
  })

  it.each([
    ['is long enough', hostKey, Buffer.concat([string('rsa-sha2-512'), string(Buffer.alloc(128, 7))])],
    ['is too long', hostKey, Buffer.concat([string('ssh-rsa'), string(Buffer.alloc(129, 7))])],
    ['is of another kind', Buffer.concat([string('ssh-ed25519'), string(Buffer.alloc(32, 7)), string(Buffer.alloc(99))]), Buffer.concat([string('ssh-ed25519'), string(Buffer.alloc(64, 7))])],
    ['has something behind it', hostKey, Buffer.concat([string('ssh-rsa'), string(Buffer.alloc(127, 7)), Buffer.from([0])])],
  ])('stays as it is where it %s', (_what, key, signature) => {
    expect(wholeSignature(key, signature)).toBe(signature)
  })

  it('stays as it is where it is nonsense', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const signature = Buffer.from(bytes)
      expect(wholeSignature(signature, signature)).toBe(signature)
    }))
  })
})
