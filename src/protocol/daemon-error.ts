import { MachineError } from '../errors/offload-error.js'

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
 * Reports are single lines without control characters: what guix-daemon reads from a hook line by line must not be for a remote daemon to compose, nor what the
 * terminal does.
 */
export function oneLine(text: string): string {
  // The sequences with which Guix colours its messages leave no gap.
  return text.replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, '').trim().replace(/\s*[\p{Cc}\p{Zl}\p{Zp}]+\s*/gu, ' ')
}
