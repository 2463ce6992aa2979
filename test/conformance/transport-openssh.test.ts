import { mkdtemp, mkdir, rm, writeFile, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transportConformance } from 'guix-offload/plugin-api/testing'
import { opensshTransport } from '../../plugins/transport-openssh/src/openssh-transport.js'
import { buildMachine, pluginHost } from '../support/plugin-host.js'
import { generateKey, startSshd } from '../support/sshd.js'

transportConformance('openssh', async () => {
  const sshd = await startSshd({ hostKeys: ['ed25519', 'ecdsa'], config: ['MaxSessions 20'] })
  const folder = await mkdtemp(join(tmpdir(), 'guix-offload-conformance-'))
  const shared = join(folder, 'shared')
  await mkdir(shared)
  await chmod(folder, 0o755)
  const keys = { unknown: join(folder, 'unknown'), encrypted: join(folder, 'encrypted'), garbled: join(folder, 'garbled'), missing: join(folder, 'missing') }
  await generateKey(keys.unknown)
  await generateKey(keys.encrypted, 'ed25519', '-N', 'a passphrase')
  await writeFile(keys.garbled, '-----BEGIN OPENSSH PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END OPENSSH PRIVATE KEY-----\n')
  return {
    transport: opensshTransport({ ...pluginHost(), options: { folder: join(folder, 'ssh') } }),
    machine: buildMachine({ port: sshd.port, user: sshd.user, hostKey: `${sshd.hostKeys.ed25519 ?? ''}\n`, privateKey: sshd.privateKey }),
    homeDirectory: folder,
    sharedFolder: shared,
    ssh: { keys, otherHostKey: await generateKey(join(folder, 'other_host')) },
    signals: false,
    namesSignals: false,
    // ssh counts in whole seconds.
    keepAlive: { keepAliveMs: 1000, keepAliveMisses: 3 },
    breakConnections: () => sshd.signalSessions('SIGKILL'),
    silenceConnections: () => sshd.signalSessions('SIGSTOP'),
    async stop() {
      await sshd.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
})
