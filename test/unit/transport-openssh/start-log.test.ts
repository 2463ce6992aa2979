import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StartLog, type Stage } from '../../../plugins/transport-openssh/src/start-log.js'

const session = [
  'OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19',
  'debug1: Connecting to b1 [192.0.2.1] port 22.',
  'debug1: Connection established.',
  'debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1 Debian-2',
  'debug1: kex: algorithm: curve25519-sha256',
  'debug1: kex: server->client cipher: aes128-gcm@openssh.com MAC: <implicit> compression: none',
  'debug1: kex: client->server cipher: aes128-gcm@openssh.com MAC: <implicit> compression: none',
  'debug1: expecting SSH2_MSG_KEX_ECDH_REPLY',
  'debug1: SSH2_MSG_KEX_ECDH_REPLY received',
  'debug1: Server host key: ssh-ed25519 SHA256:abc',
  'debug1: SSH2_MSG_NEWKEYS received',
  'debug1: SSH2_MSG_SERVICE_ACCEPT received',
  'debug1: Offering public key: /k/a ED25519 SHA256:one explicit',
  'debug1: Offering public key: /k/b RSA SHA256:two explicit',
  'debug1: Server accepts key: /k/b RSA SHA256:two explicit',
  'Authenticated to b1 ([192.0.2.1]:22) using "publickey".',
  'debug1: forking to background',
  '',
].join('\r\n')

describe('StartLog', () => {
  it('reads what was negotiated, however the text is cut', () => {
    fc.assert(fc.property(fc.array(fc.nat(session.length)), (cuts) => {
      const log = new StartLog()
      const bounds = [0, ...cuts.sort((a, b) => a - b), session.length]
      bounds.slice(1).forEach((end, index) => log.push(session.slice(bounds[index], end)))
      expect(log.facts).toEqual({
        address: '192.0.2.1', server: 'OpenSSH_9.2p1 Debian-2', keyExchange: 'curve25519-sha256', cipher: 'aes128-gcm@openssh.com', compression: 'none',
        hostKey: 'ssh-ed25519 SHA256:abc', privateKey: '/k/b RSA SHA256:two',
      })
      expect(log.tried).toEqual(['/k/a ED25519 SHA256:one', '/k/b RSA SHA256:two'])
      expect(log).toMatchObject({ stage: 'done', forking: true, proxied: false })
    }))
  })

  it('tells each stage once, in order, and takes the shortest exchange for the round trip', () => {
    const stages: Stage[] = []
    let now = 0
    const log = new StartLog((stage) => void stages.push(stage), () => now)
    const costs: Readonly<Record<string, number>> = { 'established': 30, 'REPLY received': 50, 'SERVICE_ACCEPT': 70 }
    for (const line of session.split('\r\n')) {
      now += Object.entries(costs).find(([part]) => line.includes(part))?.[1] ?? 1
      log.push(`${line}\n`)
    }
    expect(stages).toEqual(['greeting', 'key exchange', 'authentication', 'done'])
    expect(log.roundTripMs).toBe(30)
  })

  it('keeps a bounded part of what a talkative server says', () => {
    const log = new StartLog()
    for (let count = 0; count < 10_000; count++) log.push(`debug1: kex_exchange_identification: banner line ${count}: hello\n`)
    log.push('x'.repeat(1_000_000))
    log.end()
    expect(log.greeting.length).toBeLessThanOrEqual(2000)
    expect(log.messages).toEqual([])
  })
})
