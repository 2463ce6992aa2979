import { describe, expect, it } from 'vitest'
import { Failures } from '../../../plugins/ssh-common/src/failures.js'
import { startFailure } from '../../../plugins/transport-openssh/src/start-failure.js'
import { StartLog } from '../../../plugins/transport-openssh/src/start-log.js'
import { errorFactory } from '../../../src/errors/error-factory.js'
import type { OffloadFailure } from '../../../src/plugin-api/index.js'
import { buildMachine } from '../../support/plugin-host.js'

const machine = buildMachine({ hostKey: '', name: 'b1', settings: { proxyJump: 'gate' } })

function failureOf(lines: readonly string[], jumpMessage = ''): OffloadFailure {
  const log = new StartLog()
  log.push(lines.map((line) => `${line}\r\n`).join(''))
  return startFailure({ failures: new Failures(errorFactory, machine), pins: [], log, keyProblems: [], jumpMessage, connectMs: 1000 }) as OffloadFailure
}

const connected = ['debug1: Connecting to b1 [192.0.2.1] port 22.', 'debug1: Connection established.']
const greeted = [...connected, 'debug1: Remote protocol version 2.0, remote software version OpenSSH_9.9']

describe('startFailure', () => {
  it.each([
    ['name-not-found', ['ssh: Could not resolve hostname b1: Name or service not known']],
    ['name-not-found', ['ssh: Could not resolve hostname b1: Temporary failure in name resolution']],
    ['connection-refused', ['ssh: connect to host b1 port 22: Connection refused']],
    ['connect-timeout', ['ssh: connect to host b1 port 22: Connection timed out']],
    ['network-unreachable', ['ssh: connect to host b1 port 22: No route to host']],
    ['network-unreachable', ['ssh: connect to host b1 port 22: Network is unreachable']],
    ['server-busy', [...connected, 'kex_exchange_identification: Connection closed by remote host', 'Connection closed by 192.0.2.1 port 22']],
    ['server-busy', [...connected, 'kex_exchange_identification: read: Connection reset by peer']],
    ['server-busy', [...connected, 'debug1: kex_exchange_identification: banner line 0: Not allowed at this time', 'kex_exchange_identification: Connection closed by remote host']],
    ['server-busy', [...connected, 'debug1: kex_exchange_identification: banner line 0: Exceeded MaxStartups', 'kex_exchange_identification: Connection closed by remote host']],
    ['not-an-ssh-server', [...connected, 'debug1: kex_exchange_identification: banner line 0: HTTP/1.1 400 Bad Request', 'kex_exchange_identification: Connection closed by remote host']],
    ['not-an-ssh-server', [...connected, 'kex_exchange_identification: banner line contains invalid characters']],
    ['handshake-timeout', [...connected, 'Connection timed out during banner exchange']],
    ['no-common-algorithm', [...greeted, 'Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. Their offer: ssh-rsa,ssh-dss']],
    ['host-key-mismatch', [...greeted, 'debug1: Server host key: ssh-ed25519 SHA256:x', 'No ED25519 host key is known for pinned and you have requested strict checking.', 'Host key verification failed.']],
    ['authentication-refused', [...greeted, 'builder@b1: Permission denied (publickey,password).']],
    ['authentication-refused', [...greeted, 'Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures']],
    ['connection-lost', [...greeted, 'Connection reset by 192.0.2.1 port 22']],
    ['ssh-config-invalid', ['/c: line 1: Bad configuration option: hots', '/c: terminating, 1 bad configuration options']],
    ['ssh-config-invalid', ['Bad owner or permissions on /home/u/.ssh/config']],
    ['no-account', ['No user exists for uid 4711']],
  ])('%s: %j', (code, lines) => {
    const failure = failureOf(lines)
    expect(failure.code).toBe(code)
    expect(failure.message).toContain('b1')
    expect(failure.retry).toBe(code === 'server-busy' ? 'later' : 'other-machine')
  })

  it.each([
    ['host-key-mismatch', 'No ED25519 host key is known for gate and you have requested strict checking.\nHost key verification failed.'],
    ['authentication-refused', 'me@gate: Permission denied (publickey).'],
    ['connection-refused', 'ssh: connect to host gate port 22: Connection refused'],
    ['connection-refused', 'channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed'],
    ['server-busy', 'kex_exchange_identification: Connection closed by remote host'],
  ])('%s on the way: %j', (code, text) => {
    const failure = failureOf(['Connection closed by UNKNOWN port 65535'], text)
    expect(failure.code).toBe(code)
    expect(failure.message).toContain('going through gate')
  })

  it('does not take a way that ended for a busy server', () => {
    expect(failureOf(['debug1: Executing proxy command: exec x', 'kex_exchange_identification: Connection closed by remote host']).code).toBe('connection-lost')
  })
})
