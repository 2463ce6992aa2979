import type { ContributeHook } from 'guix-offload/plugin-api'

const contribute: ContributeHook = () => undefined

export default contribute
