import type { BuildMachine, ErrorFactory, FailureReport, OffloadFailure, RetryHint } from 'guix-offload/plugin-api'

type Report = Omit<FailureReport, 'machine'>

/** Makes errors that name the machine. */
export class Failures {
  readonly label: string

  constructor(private readonly errors: ErrorFactory, readonly machine: BuildMachine) {
    this.label = machine.port === 22 ? machine.name : `${machine.name}:${machine.port}`
  }

  is(error: unknown): error is OffloadFailure {
    return this.errors.is(error)
  }

  ofMachine(report: Report, retry?: RetryHint): OffloadFailure {
    return this.errors.machine({ ...report, machine: this.label }, retry)
  }

  ofProtocol(report: Report): OffloadFailure {
    return this.errors.protocol({ ...report, machine: this.label })
  }

  ofTrust(report: Report): OffloadFailure {
    return this.errors.trust({ ...report, machine: this.label })
  }

  /** What is wrong for this machine may be right for the next one. */
  ofConfiguration(report: Report): OffloadFailure {
    return this.errors.configuration({ ...report, machine: this.label }, 'other-machine')
  }

  connectionLost(step: string, seen?: string, cause?: unknown): OffloadFailure {
    return this.ofMachine({ code: 'connection-lost', step, problem: 'the connection was lost', seen, cause })
  }

  connectionClosed(step: string): OffloadFailure {
    return this.ofMachine({ code: 'connection-closed', step, problem: 'the connection has been closed on our side' })
  }
}

/** What an abort is reported as: the reason its owner gave. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted', { cause: signal.reason })
}
