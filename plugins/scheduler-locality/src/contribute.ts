import type { ContributeHook } from 'guix-offload/plugin-api'

const contribute: ContributeHook = ({ registrar }) => {
  registrar.schedulingStrategy('locality', async () => (await import('./locality-strategy.js')).localityStrategy)
}

export default contribute
