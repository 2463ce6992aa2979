import type { ContributeHook } from 'guix-offload/plugin-api'

const contribute: ContributeHook = ({ registrar }) => {
  registrar.transport('lsh', async (host) => {
    const { lshTransport } = await import('./lsh-transport.js')
    return lshTransport(host)
  })
}

export default contribute
