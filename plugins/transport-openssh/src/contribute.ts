import type { ContributeHook } from 'guix-offload/plugin-api'

const contribute: ContributeHook = ({ registrar }) => {
  registrar.transport('openssh', async (host) => {
    const { opensshTransport } = await import('./openssh-transport.js')
    return opensshTransport(host)
  })
}

export default contribute
