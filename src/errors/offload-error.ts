import type { FailureReport, Fault, OffloadFailure, RetryHint } from '../plugin-api/index.js'

/** `NAME: step: problem: subject (expected …, seen …). cure` — one line, parts that are not known left out. */
function message(report: FailureReport): string {
  const where = report.machine === undefined ? '' : `${report.machine}: `
  const subject = report.subject === undefined ? '' : `${report.subject}: `
  const comparison = [
    report.expected === undefined ? undefined : `expected ${report.expected}`,
    report.seen === undefined ? undefined : `seen ${report.seen}`,
  ].filter((part) => part !== undefined)
  const brackets = comparison.length === 0 ? '' : ` (${comparison.join(', ')})`
  const cure = report.cure === undefined ? '' : `. ${report.cure}`
  return `${where}${subject}${report.step}: ${report.problem}${brackets}${cure}`
}

/** Root of the error tree. The branches say whose fault it is; `code` says what happened; only commands map them to exit codes. */
export abstract class OffloadError extends Error implements OffloadFailure {
  abstract readonly fault: Fault
  readonly retry: RetryHint
  readonly code: string
  readonly report: FailureReport

  constructor(report: FailureReport, retry: RetryHint) {
    super(message(report), report.cause === undefined ? undefined : { cause: report.cause })
    this.name = new.target.name
    this.report = report
    this.code = report.code
    this.retry = retry
  }
}

/** The user's: a file, a flag, a set-up. */
export class ConfigurationError extends OffloadError {
  readonly fault = 'configuration'
  constructor(report: FailureReport, retry: RetryHint = 'never') {
    super(report, retry)
  }
}

/** The build machine's or the way to it. */
export class MachineError extends OffloadError {
  readonly fault = 'machine'
  constructor(report: FailureReport, retry: RetryHint = 'other-machine') {
    super(report, retry)
  }
}

/** A peer broke a protocol or a format. */
export class ProtocolError extends OffloadError {
  readonly fault = 'protocol'
  constructor(report: FailureReport, retry: RetryHint = 'other-machine') {
    super(report, retry)
  }
}

/** Keys and signatures. */
export class TrustError extends OffloadError {
  readonly fault = 'trust'
  constructor(report: FailureReport, retry: RetryHint = 'other-machine') {
    super(report, retry)
  }
}

/** The derivation's: its builder failed or ran out of time. `status` is what guix-daemon expects: 100 permanent, 101 timed out. */
export class BuildError extends OffloadError {
  readonly fault = 'build'
  readonly status: number
  constructor(report: FailureReport, status: number) {
    super(report, 'never')
    this.status = status
  }
}

/** Ours. */
export class InternalError extends OffloadError {
  readonly fault = 'internal'
  constructor(problem: string, cause?: unknown) {
    super({ code: 'internal', step: 'internal error', problem, cause, cure: 'Please report this' }, 'never')
  }
}
