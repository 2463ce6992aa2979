import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transportConformance } from 'guix-offload/plugin-api/testing'
import { lshTransport } from '../../plugins/transport-lsh/src/lsh-transport.js'
import { startLshd } from '../support/lshd.js'
import { buildMachine, pluginHost } from '../support/plugin-host.js'
import { generateKey } from '../support/sshd.js'

transportConformance('lsh', async () => {
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
    transport: lshTransport(pluginHost()),
    machine: buildMachine({ port: lshd.port, user: lshd.user, hostKey: `${lshd.hostKey}\n`, privateKey: lshd.privateKey }),
    homeDirectory: folder,
    sharedFolder: shared,
    ssh: { keys, otherHostKey: await generateKey(join(folder, 'other_host'), 'rsa'), usualKey: join('.ssh', 'id_rsa') },
    // lshd sends SIGHUP to what runs on a channel that is closed.
    signals: true,
    namesSignals: true,
    breakConnections: () => lshd.restart(),
    silenceConnections: async () => lshd.signal('SIGSTOP'),
    async stop() {
      await lshd.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}, { sockets: false })
