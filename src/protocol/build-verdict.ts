import { BuildError, MachineError } from '../errors/offload-error.js'
import { type DaemonError, oneLine } from './daemon-error.js'

/** The statuses that guix-daemon gives to a build, and expects of its hook. */
const permanentFailure = 100
const timedOut = 101

/**
 * Whose fault a failed build is. Statuses 100 and 101 are about the derivation. Status 1 is said to be the machine's, but daemons (1.2.0 to 1.5.0)
 * also use it for a missing output, a wrong hash, a forbidden reference and everything that goes wrong in a fixed-output derivation: their text is
 * only "build of … failed", the reason is the last thing they log. A builder that was killed, on the other hand, most often ran out of
 * memory, so the machine is at fault though the status is 100.
 */
export function buildVerdict(error: DaemonError, derivation: string): BuildError | MachineError {
  const report = { step: 'building', subject: derivation, cause: error }
  if (error.status === timedOut) {
    const silent = error.logTail.includes(' seconds of silence')
    return new BuildError(
      { ...report, code: 'build-timed-out', problem: silent ? 'the builder was silent for too long' : 'the build took too long' },
      timedOut,
    )
  }
  if (/^note: build failure may have been caused by lack of free disk space$/m.test(error.logTail)) {
    return new MachineError({ ...report, code: 'disk-full', problem: 'the build failed with next to no disk space left' }, 'later')
  }
  const reason = lastReason(error.logTail, derivation)
  if (reason !== undefined && /due to signal 9\b/.test(reason)) {
    return new MachineError({
      ...report,
      code: 'builder-killed',
      problem: oneLine(reason),
      cure: 'Check the memory of the machine and how many builds at a time it is given',
    })
  }
  if (error.status === permanentFailure || reason !== undefined || unbuildable.test(error.text)) {
    return new BuildError({ ...report, code: 'build-failed', problem: oneLine(reason ?? error.text) }, permanentFailure)
  }
  return error
}

/** What the derivation made cannot be stored by any daemon. */
const unbuildable = /has an unsupported type$|^cycle detected in the references of/m

/** The last line in which the daemon blames the derivation. */
function lastReason(log: string, derivation: string): string | undefined {
  return log
    .split('\n')
    .reverse()
    .find(
      (line) =>
        line.startsWith(`builder for \`${derivation}' failed `) ||
        line.startsWith('hash mismatch for store item ') ||
        /^output \(`[^']*'\) is not allowed to refer to path /.test(line),
    )
}
