import type { ContributeHook } from 'guix-offload/plugin-api'

const contribute: ContributeHook = ({ registrar }) => {
  registrar.schedulingStrategy('guix', async () => (await import('./guix-strategy.js')).guixStrategy)
}

export default contribute
