import type { Connection, OffloadFailure } from 'guix-offload/plugin-api'
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

/**
 * OpenSSH answers "open failed" both when it may not forward to sockets and when it cannot connect. Whether something listens there is asked through another
 * channel, of the kernel's table of Unix sockets (flag 00010000: accepts connections).
 */
export async function socketRefused(connection: Connection, failures: Failures, path: string, error: Error): Promise<Error> {
  const step = `opening the socket ${path}`
  const forbidden = (seen: string): Error => failures.ofMachine({
    code: 'forwarding-refused',
    step,
    problem: 'the SSH server does not forward to Unix sockets',
    seen,
    cause: error,
    cure: 'Set AllowStreamLocalForwarding yes in its sshd_config (and no DisableForwarding; no restrict or no-port-forwarding for the key in authorized_keys)',
  })
  const unavailable = (seen: string): Error => failures.ofMachine({
    code: 'socket-unavailable',
    step,
    problem: 'the machine has nothing for us to connect to there',
    seen,
    cause: error,
    cure: 'Is guix-daemon running there, and may the user connect to it?',
  })
  const reason = reasonOf(error)
  if (reason === prohibited || reason === unknownType) return forbidden(error.message)
  switch (await inspectSocket(connection, path)) {
    case 'listening':
      return forbidden(`${error.message}, though a server listens on the socket`)
    case 'missing':
      return unavailable('no such file')
    case 'closed':
      return unavailable(`user ${failures.machine.user} may not write to it`)
    case 'silent':
      return unavailable('nothing listens on it')
    default:
      return unavailable(error.message)
  }
}

/** The table has the path as it was given when the socket was made: guix-daemon goes to the folder first and says `./socket`. */
const inspection = `
if ! test -e "$1"; then echo missing; exit; fi
if ! test -w "$1"; then echo closed; exit; fi
if ! test -r /proc/net/unix; then echo unknown; exit; fi
while read -r _ _ _ flags _ _ _ path; do
  case "$flags $path" in "00010000 $1" | "00010000 ./\${1##*/}") echo listening; exit ;; esac
done < /proc/net/unix
echo silent`

async function inspectSocket(connection: Connection, path: string): Promise<string> {
  try {
    const { stdout, stderr } = await connection.exec(['sh', '-c', inspection, 'sh', path, path.replace(/[.[\]*^$\\]/g, '\\$&')], { signal: AbortSignal.timeout(5000) })
    stderr.destroy()
    let answer = ''
    for await (const chunk of stdout as AsyncIterable<Buffer>) answer += chunk.toString('latin1')
    return answer.trim()
  } catch {
    return 'unknown'
  }
}
