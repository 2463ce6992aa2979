import { BuildError, ConfigurationError, InternalError, MachineError, OffloadError, ProtocolError, TrustError } from '../errors/offload-error.js'
import type { FailureReport } from '../plugin-api/index.js'
import { DaemonError } from '../protocol/daemon-error.js'

export interface Place {
  /** `NAME` or `NAME:PORT`. */
  readonly machine: string
  /** What was being done; undefined: what the error itself says. */
  readonly step?: string | undefined
  /** The store item or derivation in question. */
  readonly subject?: string | undefined
}

/**
 * Puts the machine and the step on an error that came from below, and gives the daemon's refusals their meaning. Anything that is not ours, such as
 * the reason of an abort, is passed on as it is.
 */
export function atMachine(error: unknown, place: Place): unknown {
  if (error instanceof DaemonError) return refusal(error, place)
  if (!(error instanceof OffloadError) || error instanceof InternalError) return error
  if (error.report.machine !== undefined) return withSubject(error, place)
  const report: FailureReport = {
    ...error.report,
    machine: place.machine,
    step: place.step ?? error.report.step,
    subject: error.report.subject ?? place.subject,
    cause: error.report.cause ?? error,
  }
  if (error instanceof BuildError) return new BuildError(report, error.status)
  if (error instanceof TrustError) return new TrustError(report, error.retry)
  if (error instanceof ProtocolError) return new ProtocolError(report, error.retry)
  if (error instanceof ConfigurationError) return new ConfigurationError(report)
  return new MachineError(report, error.retry)
}

/** A daemon that fell silent was noticed below, where the machine is known but not what the daemon was asked for. */
function withSubject(error: OffloadError, { subject, step }: Place): OffloadError {
  if (error.code !== 'daemon-silent' || error.report.subject !== undefined) return error
  return new MachineError({ ...error.report, subject, step: step ?? error.report.step, cause: error }, error.retry)
}

type Meaning = (report: FailureReport, error: DaemonError) => OffloadError

/** What the texts mean, word for word the same from Guix 1.2.0 to 1.5.0 unless the pattern says otherwise. The first that matches counts. */
const meanings: readonly (readonly [pattern: RegExp, meaning: Meaning])[] = [
  [/unauthorized public key/, keyNotAuthorized],
  [
    /invalid signature|error: corrupt signature/,
    (report) => new TrustError({ ...report, code: 'signature-refused', problem: 'our signature on an item does not verify there' }),
  ],
  [
    /signed hash doesn't match/,
    (report) => new TrustError({ ...report, code: 'signature-refused', problem: 'an item arrived there with other contents than we signed' }),
  ],
  [/lacks a signature/, (report) => new TrustError({ ...report, code: 'signature-refused' })],
  [
    /No space left on device|disk is full|Disk quota exceeded/,
    (report) => new MachineError({ ...report, code: 'disk-full', cure: 'Free some space there, for instance with `guix gc`' }, 'later'),
  ],
  [/Cannot allocate memory|daemon out of memory/, (report) => new MachineError({ ...report, code: 'memory-exhausted' }, 'later')],
  [/all build users are currently in use/, (report) => new MachineError({ ...report, code: 'build-users-exhausted' }, 'later')],
  [/database is (locked|busy)/, (report) => new MachineError({ ...report, code: 'database-busy' }, 'later')],
  [
    /unable to start any build/,
    (report) =>
      new MachineError({
        ...report,
        code: 'builds-disabled',
        cure: 'Its guix-daemon runs with --max-jobs=0: allow builds there or take the machine off the list',
      }),
  ],
  // Guix 1.5.0 prints the placeholder itself, `path `%1%' is not valid`; 1.2.0 uses typographic quotes.
  [/^path .* is not valid$/, (report) => new MachineError({ ...report, code: 'reference-missing' })],
]

/** For builds, whose error says no more than that they failed. Whole lines only: the rest of the log is the builder's, which may print anything. */
const meaningsOfLog: readonly (readonly [pattern: RegExp, meaning: Meaning])[] = [
  [
    /^cannot build (missing derivation [`‘].*['’]|derivation [`‘].*['’]: \d+ dependencies couldn't be built)$/m,
    (report) => new MachineError({ ...report, code: 'inputs-missing' }),
  ],
]

function refusal(error: DaemonError, place: Place): OffloadError {
  const report: FailureReport = {
    ...error.report,
    machine: place.machine,
    step: place.step ?? error.report.step,
    subject: place.subject,
    cause: error,
  }
  const found = meanings.find(([pattern]) => pattern.test(error.text)) ?? meaningsOfLog.find(([pattern]) => pattern.test(error.logTail))
  return found?.[1](report, error) ?? new MachineError({ ...report, code: 'daemon-refused' })
}

function keyNotAuthorized(report: FailureReport, error: DaemonError): TrustError {
  const key = error.text.slice(error.text.indexOf('(public-key')).replace(/\s+/g, ' ').replace(/ \)/g, ')').trim()
  return new TrustError({
    ...report,
    code: 'signing-key-not-authorized',
    problem: 'the machine does not accept what we sign',
    seen: `our key ${key}`,
    cure:
      `On ${report.machine ?? 'the machine'}, as root, run: guix archive --authorize < signing-key.pub, ` +
      "with this machine's /etc/guix/signing-key.pub",
  })
}
