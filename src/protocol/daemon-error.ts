import { BuildError, MachineError } from '../errors/offload-error.js'

/** What guix-daemon answers when it can neither build nor say why it should be tried again: the statuses of a build. */
export const permanentFailure = 100
export const timedOut = 101

/** The daemon refused a request or failed at it. Only the layer above knows which machine it runs on and what a given text means there. */
export class DaemonError extends MachineError {
  /** As the daemon sent it: may have several lines and terminal escapes. */
  readonly text: string
  /** 1 for most failures; of a build 100: failed for good, 101: out of time. */
  readonly status: number
  /** The last of what the daemon logged during the request, as it came. */
  readonly logTail: string

  constructor(step: string, text: string, status: number, logTail: string) {
    super({ code: 'daemon-error', step, problem: oneLine(text) })
    this.text = text
    this.status = status
    this.logTail = logTail
  }
}

/**
 * The verdict on a build: statuses 100 and 101 are about the derivation and would be the same on any machine; everything else is the machine's.
 */
export function buildVerdict(error: DaemonError, derivation: string): BuildError | DaemonError {
  const report = { step: 'building', subject: derivation, problem: oneLine(error.text), cause: error }
  switch (error.status) {
    case permanentFailure:
      return new BuildError({ ...report, code: 'build-failed' }, permanentFailure)
    case timedOut:
      return new BuildError({ ...report, code: 'build-timed-out' }, timedOut)
    default:
      return error
  }
}

/** Reports are single lines; what guix-daemon reads from a hook line by line must not be for a remote daemon to compose. */
export function oneLine(text: string): string {
  return text.trim().replace(/\s*[\r\n]+\s*/g, ' ')
}
