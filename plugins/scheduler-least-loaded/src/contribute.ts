import type { ContributeHook } from 'guix-offload/plugin-api'

const contribute: ContributeHook = ({ registrar }) => {
  registrar.schedulingStrategy('least-loaded', async () => (await import('./least-loaded-strategy.js')).leastLoadedStrategy)
}

export default contribute
