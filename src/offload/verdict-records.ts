import { machineId } from '../machines/machine-id.js'
import type { Verdict } from '../scheduling/verdict.js'
import type { VerdictRecord } from '../state/history.js'

/** Of a farm of hundreds the first are enough to understand a decision by. */
const maximumVerdicts = 40
const maximumReason = 300

/** Verdicts as they are kept. */
export function verdictRecords(verdicts: readonly Verdict[]): VerdictRecord[] {
  return verdicts.slice(0, maximumVerdicts).map(({ machine, code, reason }) => ({
    machine: machineId(machine),
    code,
    reason: reason.length > maximumReason ? `${reason.slice(0, maximumReason)}…` : reason,
  }))
}
