import { join } from 'node:path'
import { transportConformance } from 'guix-offload/plugin-api/testing'
import { opensshTransport } from '../../plugins/transport-openssh/src/openssh-transport.js'
import { conformanceFolder } from '../support/conformance-folder.js'
import { buildMachine, pluginHost } from '../support/plugin-host.js'
import { startSshd } from '../support/sshd.js'

transportConformance('openssh', async () => {
  const sshd = await startSshd({ hostKeys: ['ed25519', 'ecdsa'], config: ['MaxSessions 20'] })
  const { remove, ...folder } = await conformanceFolder('ed25519')
  return {
    transport: opensshTransport({ ...pluginHost(), options: { folder: join(folder.homeDirectory, 'ssh') } }),
    machine: buildMachine({ port: sshd.port, user: sshd.user, hostKey: `${sshd.hostKeys.ed25519 ?? ''}\n`, privateKey: sshd.privateKey }),
    ...folder,
    signals: false,
    namesSignals: false,
    // ssh counts in whole seconds.
    keepAlive: { keepAliveMs: 1000, keepAliveMisses: 3 },
    breakConnections: () => sshd.signalSessions('SIGKILL'),
    silenceConnections: () => sshd.signalSessions('SIGSTOP'),
    async stop() {
      await sshd.stop()
      await remove()
    },
  }
})
