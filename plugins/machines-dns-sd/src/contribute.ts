import type { ContributeHook } from 'guix-offload/plugin-api'

/** Machines that announce themselves as `_guix-offload._tcp`, on the local network (mDNS) or in a DNS domain. */
const contribute: ContributeHook = ({ registrar }) => {
  registrar.machineSource('dns-sd', async (host) => (await import('./source.js')).createSource(host))
}

export default contribute
