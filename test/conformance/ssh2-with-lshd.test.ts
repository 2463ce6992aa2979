/** Transport ssh2 with a server that only knows what OpenSSH has switched off: with `legacyAlgorithms` all that a transport must, but for sockets, which lshd does not have. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { transportConformance } from 'guix-offload/plugin-api/testing'
import { ssh2Transport } from '../../plugins/transport-ssh2/src/ssh2-transport.js'
import type { BuildMachine, OffloadFailure } from '../../src/plugin-api/index.js'
import { startLshd } from '../support/lshd.js'
import { buildMachine, pluginHost } from '../support/plugin-host.js'
import { generateKey } from '../support/sshd.js'

transportConformance('ssh2 with lshd', async () => {
  const lshd = await startLshd()
  const folder = await mkdtemp(join(tmpdir(), 'guix-offload-conformance-'))
  const shared = join(folder, 'shared')
  await mkdir(shared)
  await chmod(folder, 0o755)
  const keys = { unknown: join(folder, 'unknown'), encrypted: join(folder, 'encrypted'), garbled: join(folder, 'garbled'), missing: join(folder, 'missing') }
  await generateKey(keys.unknown, 'rsa')
  await generateKey(keys.encrypted, 'rsa', '-N', 'a passphrase')
  await writeFile(keys.garbled, '-----BEGIN OPENSSH PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END OPENSSH PRIVATE KEY-----\n')
  return {
    transport: ssh2Transport(pluginHost()),
    machine: buildMachine({ port: lshd.port, user: lshd.user, hostKey: lshd.hostKey, privateKey: lshd.privateKey, settings: { legacyAlgorithms: true } }),
    homeDirectory: folder,
    sharedFolder: shared,
    ssh: { keys, otherHostKey: await generateKey(join(folder, 'other_host'), 'rsa') },
    // lshd ends the shell it has started and not what that runs, which is another process.
    signals: false,
    namesSignals: true,
    // lshd takes 10 kB at a time.
    bulkMebibytes: 16,
    breakConnections: () => lshd.restart(),
    silenceConnections: async () => lshd.signal('SIGSTOP'),
    async stop() {
      await lshd.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}, { sockets: false })

describe('ssh2 with lshd', () => {
  it('says what the two sides offer where the algorithms of old are not allowed', async () => {
    const lshd = await startLshd()
    try {
      const machine: BuildMachine = buildMachine({ port: lshd.port, user: lshd.user, hostKey: lshd.hostKey, privateKey: lshd.privateKey })
      const context = { signal: new AbortController().signal, homeDirectory: lshd.folder, timeouts: { connectMs: 5000, handshakeMs: 5000, keepAliveMs: 15_000, keepAliveMisses: 4 } }
      const failure = await ssh2Transport(pluginHost()).connect(machine, context).then(() => { throw new Error('it connected') }, (error: unknown) => error as OffloadFailure)
      expect(failure.code).toBe('no-common-algorithm')
      expect(failure.message).toContain('curve25519-sha256')
      expect(failure.message).toContain('the server offers diffie-hellman-group14-sha1')
      expect(failure.message).toContain('legacyAlgorithms')
    } finally {
      await lshd.stop()
    }
  })
})
