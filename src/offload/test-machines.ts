import type { MachineSelection, TestReport } from './reports.js'

/**
 * Finds out whether each machine can be offloaded to, all machines at once. A machine that fails costs the others nothing.
 * @throws OffloadFailure of kind configuration, when the machines cannot be listed at all
 */
export interface TestMachines {
  run(selection: MachineSelection, signal: AbortSignal): Promise<TestReport>
}
