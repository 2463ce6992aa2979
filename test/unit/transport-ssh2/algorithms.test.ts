import { describe, expect, it } from 'vitest'
import { offerFor, type Offer } from '../../../plugins/transport-ssh2/src/algorithms.js'
import type { BuildMachine } from '../../../src/plugin-api/index.js'
import { buildMachine, pluginHost } from '../../support/plugin-host.js'

function offer(changes: Partial<BuildMachine> = {}, native = true, messages: string[] = []): Offer {
  return offerFor(buildMachine({ hostKey: '', ...changes }), [], native, pluginHost(messages).log)
}

describe('offerFor', () => {
  it('puts AES-128-GCM and Curve25519 first', () => {
    expect(offer().cipher[0]).toBe('aes128-gcm@openssh.com')
    expect(offer().kex[0]).toBe('curve25519-sha256')
  })

  it('offers ChaCha20 only where compiled code does it', () => {
    expect(offer({}, true).cipher).toContain('chacha20-poly1305@openssh.com')
    expect(offer({}, false).cipher).not.toContain('chacha20-poly1305@openssh.com')
  })

  it('adds old algorithms at the end, and only where allowed', () => {
    const { kex, serverHostKey, cipher, hmac } = offer({ settings: { legacyAlgorithms: true } })
    expect([kex.at(-1), cipher.at(-1), hmac.at(-1)]).toEqual(['diffie-hellman-group14-sha1', 'aes256-cbc', 'hmac-sha1'])
    expect(serverHostKey).toContain('ssh-rsa')
    const strict = offer()
    expect([...strict.kex, ...strict.serverHostKey, ...strict.cipher, ...strict.hmac].filter((name) => /sha1|cbc|^ssh-rsa$/.test(name))).toEqual([])
  })

  it.each([
    [undefined, ['none']],
    ['none', ['none']],
    ['zlib@openssh.com,zlib', ['zlib@openssh.com', 'zlib', 'none']],
    [' zlib , none ,zlib@openssh.com', ['zlib', 'none', 'zlib@openssh.com']],
    ['', ['none']],
  ])('compression %j is offered as %j', (compression, expected) => {
    expect(offer({ compression }).compress).toEqual(expected)
  })

  it('names a compression it does not know', () => {
    const messages: string[] = []
    expect(offer({ compression: 'lz4,zlib' }, true, messages).compress).toEqual(['zlib', 'none'])
    expect(messages).toEqual([expect.stringMatching(/^warn: 127\.0\.0\.1: compression lz4 /)])
  })
})
