/** What an error says besides its kind. Every text is one line; the library writes the whole message from the parts. */
export interface FailureReport {
  /** Stable, machine-readable, kebab-case: `host-key-mismatch`, `connection-refused`. */
  readonly code: string
  /** What was being done: `connecting`, `checking the host key`. */
  readonly step: string
  /** What went wrong, as a sentence without full stop. */
  readonly problem: string
  /** What was expected, where that is not obvious. */
  readonly expected?: string | undefined
  /** What was seen instead. */
  readonly seen?: string | undefined
  /** What the reader can do about it. */
  readonly cure?: string | undefined
  /** The machine it happened on or with, as `NAME` or `NAME:PORT`. */
  readonly machine?: string | undefined
  /** The file, store item or other subject, with `:line:column` where there is one. */
  readonly subject?: string | undefined
  readonly cause?: unknown
}

/** Whose fault an error is, which decides what happens next. */
export type Fault = 'configuration' | 'machine' | 'protocol' | 'trust' | 'build' | 'internal'

/**
 * What the scheduler may do after an error: `never` (the same will happen anywhere), `other-machine` (this machine is at fault),
 * `later` (a passing shortage, such as a full connection table; the machine is not counted as dead).
 */
export type RetryHint = 'never' | 'other-machine' | 'later'

/** An error made by {@link ErrorFactory}: safe to let through every layer. */
export interface OffloadFailure extends Error {
  readonly fault: Fault
  readonly code: string
  readonly retry: RetryHint
  readonly report: FailureReport
}

/** Makes the errors of this project, so that a plugin needs no code of ours at run time. */
export interface ErrorFactory {
  /** The user's configuration is wrong. Never retried, unless it is wrong for one machine only and `retry` says so. */
  configuration(report: FailureReport, retry?: RetryHint): OffloadFailure
  /** The remote machine failed. Retried on another machine unless `retry` says otherwise. */
  machine(report: FailureReport, retry?: RetryHint): OffloadFailure
  /** A peer broke its protocol or format. */
  protocol(report: FailureReport, retry?: RetryHint): OffloadFailure
  /** A key or a signature was refused. */
  trust(report: FailureReport, retry?: RetryHint): OffloadFailure
  /** True for errors made by this factory. */
  is(error: unknown): error is OffloadFailure
}
