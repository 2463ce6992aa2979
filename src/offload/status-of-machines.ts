import type { MachineSelection, StatusReport } from './reports.js'

/**
 * Asks each machine how it is, all machines at once.
 * @throws OffloadFailure of kind configuration, when the machines cannot be listed at all
 */
export interface StatusOfMachines {
  run(selection: MachineSelection, signal: AbortSignal): Promise<StatusReport>
}
