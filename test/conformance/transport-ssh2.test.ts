import { transportConformance } from 'guix-offload/plugin-api/testing'
import { ssh2Transport } from '../../plugins/transport-ssh2/src/ssh2-transport.js'
import { conformanceFolder } from '../support/conformance-folder.js'
import { buildMachine, pluginHost } from '../support/plugin-host.js'
import { startSshd } from '../support/sshd.js'

transportConformance('ssh2', async () => {
  const sshd = await startSshd({ hostKeys: ['ed25519', 'ecdsa'], config: ['MaxSessions 20'] })
  const { remove, ...folder } = await conformanceFolder('ed25519')
  return {
    transport: ssh2Transport(pluginHost()),
    machine: buildMachine({ port: sshd.port, user: sshd.user, hostKey: `${sshd.hostKeys.ed25519 ?? ''}\n`, privateKey: sshd.privateKey }),
    ...folder,
    signals: true,
    namesSignals: true,
    breakConnections: () => sshd.signalSessions('SIGKILL'),
    silenceConnections: () => sshd.signalSessions('SIGSTOP'),
    async stop() {
      await sshd.stop()
      await remove()
    },
  }
})
