import type { OffloadFailure } from 'guix-offload/plugin-api'
import type { Failures } from 'guix-offload-ssh-common/failures.js'

/** SSH_OPEN_* (RFC 4254, 5.1). */
const prohibited = 1
const unknownType = 3

const reasonOf = (error: Error): unknown => ('reason' in error ? error.reason : undefined)

/** @param others - How many channels were open besides. */
export function channelRefused(failures: Failures, step: string, others: number, error: Error): OffloadFailure {
  // Without a reason the channel was opened and the command refused.
  if (reasonOf(error) === undefined) {
    return failures.ofMachine({
      code: 'channel-refused',
      step,
      problem: 'the server refused to run the command',
      seen: error.message,
      cause: error,
      cure: `Does the account ${failures.machine.user} have a working shell?`,
    })
  }
  return failures.ofMachine({
    code: 'channel-refused',
    step,
    problem: 'the server opened no further channel',
    seen: `${error.message}; ${others} open`,
    cause: error,
    cure: 'Is sshd\'s MaxSessions (10 by default) too low?',
  }, others > 0 ? 'later' : undefined)
}

/** Only some refusals have a reason that settles the matter. */
export function forbidsSockets(error: Error): boolean {
  const reason = reasonOf(error)
  return reason === prohibited || reason === unknownType
}
