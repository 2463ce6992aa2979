import { describe, expect, it } from 'vitest'
import { LoginProgress } from '../../../plugins/transport-lsh/src/login-progress.js'

const after = (...lines: string[]): LoginProgress => {
  const progress = new LoginProgress()
  for (const line of lines) progress.line(line)
  return progress
}

/** What lsh 2.1 prints with --verbose, without its name in front. */
const greeting = ['Client version: SSH-2.0-lsh-2.1 lsh - a GNU ssh', 'Server version: SSH-2.0-lshd-2.1 lsh - a GNU ssh']
const negotiation = [
  'Received KEXINIT message. Key exchange initated.',
  'Selected keyexchange algorithm: diffie-hellman-group14-sha1',
  '  with hostkey algorithm:       ssh-rsa',
  'Selected bulk algorithms: (client to server, server to client)',
  '  Encryption:             (aes256-cbc, aes256-cbc)',
  '  Message authentication: (hmac-sha1, hmac-sha1)',
  '  Compression:            (zlib, zlib)',
]

describe('from what lsh says', () => {
  it('its stages are told apart', () => {
    expect(after().stage).toBe('connecting')
    expect(after(...greeting).stage).toBe('key exchange')
    expect(after(...greeting, ...negotiation, 'Received NEWKEYS. Key exchange finished.').stage).toBe('authentication')
    expect(after(...greeting, 'Received NEWKEYS. Key exchange finished.', 'User authentication successful.', 'Received NEWKEYS. Key exchange finished.').stage).toBe('logged in')
  })

  it('what was negotiated is known', () => {
    expect(after(...greeting, ...negotiation).negotiated).toEqual({
      server: 'lshd-2.1 lsh - a GNU ssh', keyExchange: 'diffie-hellman-group14-sha1', cipher: 'aes256-cbc', mac: 'hmac-sha1', compression: 'zlib',
    })
  })

  it.each([
    ['host key', ['SPKI authorization failed.', 'Server\'s hostkey is not trusted. Disconnecting.', 'Protocol error: Bad server host key']],
    ['no common algorithm', ['Protocol error: No common key exchange method.']],
    ['login refused', ['User authentication failed.', 'Protocol error: No more auth methods available', 'Public key userauth failed.']],
    ['private key', ['Invalid private key.', 'User authentication failed.']],
    [undefined, ['garbage collecting...', 'Connection died.']],
  ])('trouble: %s', (trouble, lines) => {
    expect(after(...greeting, ...lines).trouble).toBe(trouble)
  })

  it('the last words are kept for people', () => {
    expect(after('Disconnect for reason 11: going down').remark).toBe('Disconnect for reason 11: going down')
    expect(after('garbage collecting...').remark).toBeUndefined()
  })
})
