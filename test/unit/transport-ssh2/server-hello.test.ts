import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { offerFor } from '../../../plugins/transport-ssh2/src/algorithms.js'
import { disagreement, parseServerHello } from '../../../plugins/transport-ssh2/src/server-hello.js'
import { buildMachine, pluginHost } from '../../support/plugin-host.js'

/** A KEXINIT packet, built from RFC 4253 alone. */
function kexInit(lists: readonly string[]): Buffer {
  const uint32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return bytes
  }
  const payload = Buffer.concat([Buffer.from([20]), Buffer.alloc(16, 7), ...lists.flatMap((list) => [uint32(list.length), Buffer.from(list)]), Buffer.alloc(5)])
  const padding = 8 - ((payload.length + 5) % 8) + 8
  return Buffer.concat([uint32(payload.length + 1 + padding), Buffer.from([padding]), payload, Buffer.alloc(padding)])
}

const lists = ['curve25519-sha256,kex-strict-s-v00@openssh.com', 'ssh-ed25519', 'aes128-ctr', 'aes256-ctr', 'hmac-sha1', 'hmac-sha2-256', 'none', 'none,zlib@openssh.com', '', '']
const hello = Buffer.concat([Buffer.from('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'), kexInit(lists)])

describe('parseServerHello', () => {
  it('reads software and algorithms', () => {
    expect(parseServerHello(hello)).toEqual({
      text: '',
      software: 'OpenSSH_9.2p1 Debian-2',
      algorithms: {
        kex: ['curve25519-sha256', 'kex-strict-s-v00@openssh.com'],
        serverHostKey: ['ssh-ed25519'],
        cipherOut: ['aes128-ctr'],
        cipherIn: ['aes256-ctr'],
        macOut: ['hmac-sha1'],
        macIn: ['hmac-sha2-256'],
        compressOut: ['none'],
        compressIn: ['none', 'zlib@openssh.com'],
      },
    })
  })

  it('keeps the text before the identification, on one line', () => {
    expect(parseServerHello(Buffer.from('Welcome\r\nto \x1b[1mb1\nSSH-2.0-x\r\n'))).toEqual({ text: 'Welcome to  [1mb1', software: 'x' })
    expect(parseServerHello(Buffer.from('Not allowed at this time\r\n'))).toEqual({ text: 'Not allowed at this time' })
    expect(parseServerHello(Buffer.alloc(0))).toEqual({ text: '' })
  })

  it('makes do with any part of it', () => {
    fc.assert(fc.property(fc.nat(hello.length), (length) => {
      const part = parseServerHello(hello.subarray(0, length))
      expect(part.software === undefined || part.software === 'OpenSSH_9.2p1 Debian-2').toBe(true)
      expect(part.algorithms === undefined || part.algorithms.kex.length === 2).toBe(true)
    }))
  })

  it('survives anything', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(typeof parseServerHello(Buffer.concat([Buffer.from('SSH-2.0-x\n'), Buffer.from([0, 0, 1, 0, 4, 20]), bytes])).text).toBe('string')
      expect(typeof parseServerHello(Buffer.from(bytes)).text).toBe('string')
    }))
  })
})

describe('disagreement', () => {
  const offer = (legacy = false) => offerFor(buildMachine({ hostKey: '', settings: { legacyAlgorithms: legacy } }), [], true, pluginHost().log)
  const theirs = (changes: Record<number, string>) => {
    const { algorithms } = parseServerHello(Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), kexInit(lists.map((list, index) => changes[index] ?? list))]))
    if (algorithms === undefined) throw new Error('not read')
    return algorithms
  }

  it('finds the first kind with nothing in common, in each direction', () => {
    expect(disagreement(offer(), theirs({ 0: 'diffie-hellman-group14-sha1' }))?.what).toBe('key exchange method')
    expect(disagreement(offer(), theirs({ 1: 'ssh-dss' }))?.what).toBe('host key algorithm')
    expect(disagreement(offer(), theirs({ 3: '3des-cbc' }))?.what).toBe('cipher')
    expect(disagreement(offer(), theirs({}))).toEqual({ what: 'message authentication code', ours: offer().hmac, theirs: ['hmac-sha1'] })
  })

  it('asks for no authentication code where the cipher brings its own, and for none where legacy algorithms help', () => {
    expect(disagreement(offer(), theirs({ 2: 'aes128-gcm@openssh.com', 3: 'aes128-gcm@openssh.com' }))).toBeUndefined()
    expect(disagreement(offer(true), theirs({}))).toBeUndefined()
  })
})
