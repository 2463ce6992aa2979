import type { ContributeHook } from 'guix-offload/plugin-api'

const contribute: ContributeHook = ({ registrar }) => {
  registrar.transport('ssh2', async (host) => {
    const { ssh2Transport } = await import('./ssh2-transport.js')
    return ssh2Transport(host)
  })
}

export default contribute
