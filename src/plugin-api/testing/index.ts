/** For tests of plugins; needs vitest, which the plugin's own package brings. The program itself never loads it. */
export { strategyConformance } from './strategy-conformance.js'
export { machineSourceConformance } from './source-conformance.js'
export type { MachineSourceCapabilities, MachineSourceSubject } from './source-subject.js'
export { testingHost } from './testing-host.js'
export { transportConformance } from './transport-conformance.js'
export type { SshSubject, TransportCapabilities, TransportSubject } from './transport-subject.js'
