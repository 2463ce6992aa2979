import type { ContributeHook } from 'guix-offload/plugin-api'

/** Machines from `machines.scm`, as stock reads them. */
const contribute: ContributeHook = ({ registrar }) => {
  registrar.machineSource('machines-scm', async (host) => (await import('./source.js')).createSource(host))
}

export default contribute
