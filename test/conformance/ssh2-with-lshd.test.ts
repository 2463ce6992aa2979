/** Transport ssh2 with a server that only knows what OpenSSH has switched off: with `legacyAlgorithms` all that a transport must, but for sockets, which lshd does not have. */
import { describe, expect, it } from 'vitest'
import { transportConformance } from 'guix-offload/plugin-api/testing'
import { ssh2Transport } from '../../plugins/transport-ssh2/src/ssh2-transport.js'
import type { BuildMachine } from '../../src/plugin-api/index.js'
import { conformanceFolder } from '../support/conformance-folder.js'
import { failureOf } from '../support/connections.js'
import { startLshd } from '../support/lshd.js'
import { buildMachine, pluginHost } from '../support/plugin-host.js'

transportConformance('ssh2 with lshd', async () => {
  const lshd = await startLshd()
  const { remove, ...folder } = await conformanceFolder('rsa')
  return {
    transport: ssh2Transport(pluginHost()),
    machine: buildMachine({ port: lshd.port, user: lshd.user, hostKey: lshd.hostKey, privateKey: lshd.privateKey, settings: { legacyAlgorithms: true } }),
    ...folder,
    // lshd ends the shell it has started and not what that runs, which is another process.
    signals: false,
    namesSignals: true,
    // lshd takes 10 kB at a time.
    bulkMebibytes: 16,
    breakConnections: () => lshd.restart(),
    silenceConnections: async () => lshd.signal('SIGSTOP'),
    async stop() {
      await lshd.stop()
      await remove()
    },
  }
}, { sockets: false })

describe('ssh2 with lshd', () => {
  it('says what the two sides offer where the algorithms of old are not allowed', async () => {
    const lshd = await startLshd()
    try {
      const machine: BuildMachine = buildMachine({ port: lshd.port, user: lshd.user, hostKey: lshd.hostKey, privateKey: lshd.privateKey })
      const context = { signal: new AbortController().signal, homeDirectory: lshd.folder, timeouts: { connectMs: 5000, handshakeMs: 5000, keepAliveMs: 15_000, keepAliveMisses: 4 } }
      const failure = await failureOf(ssh2Transport(pluginHost()).connect(machine, context))
      expect(failure.code).toBe('no-common-algorithm')
      expect(failure.message).toContain('curve25519-sha256')
      expect(failure.message).toContain('the server offers diffie-hellman-group14-sha1')
      expect(failure.message).toContain('legacyAlgorithms')
    } finally {
      await lshd.stop()
    }
  })
})
