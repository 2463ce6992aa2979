import type { Connection, OffloadFailure } from 'guix-offload/plugin-api'
import type { Failures } from './failures.js'

const stepFor = (path: string): string => `opening the socket ${path}`

/** @param retry - `later` where it may be that the daemon only had too many clients. */
export function forwardingRefused(failures: Failures, path: string, seen: string, cause?: unknown, retry?: 'later'): OffloadFailure {
  return failures.ofMachine({
    code: 'forwarding-refused',
    step: stepFor(path),
    problem: 'the SSH server does not forward to Unix sockets',
    seen,
    cause,
    cure: 'Set AllowStreamLocalForwarding yes in its sshd_config (and no DisableForwarding; no restrict or no-port-forwarding for the key in authorized_keys)',
  }, retry)
}

/**
 * Why OpenSSH did not connect to a socket. It answers the same when it may not forward to sockets, when it cannot connect, and when the queue of the server there is full, for it does
 * not wait. So a command looks whether something listens there.
 */
export async function socketRefused(connection: Connection, failures: Failures, path: string, cause?: Error): Promise<OffloadFailure> {
  const unavailable = (seen?: string): OffloadFailure => failures.ofMachine({
    code: 'socket-unavailable',
    step: stepFor(path),
    problem: 'the machine has nothing for us to connect to there',
    seen,
    cause,
    cure: 'Is guix-daemon running there, and may the user connect to it?',
  })
  switch (await inspect(connection, path)) {
    case 'listening':
      return forwardingRefused(failures, path, `${cause?.message ?? 'the channel was closed at once'}, though a server listens on the socket`, cause, 'later')
    case 'missing':
      return unavailable('no such file')
    case 'closed':
      return unavailable(`user ${failures.machine.user} may not write to it`)
    case 'silent':
      return unavailable('nothing listens on it')
    default:
      return unavailable(cause?.message)
  }
}

/** By the kernel's table of Unix sockets: flag 00010000 says that it accepts connections. It has the path as it was given; guix-daemon goes to the folder first and says `./socket`. */
const inspection = `
if ! test -e "$1"; then echo missing; exit; fi
if ! test -w "$1"; then echo closed; exit; fi
if ! test -r /proc/net/unix; then echo unknown; exit; fi
while read -r _ _ _ flags _ _ _ path; do
  case "$flags $path" in "00010000 $1" | "00010000 ./\${1##*/}") echo listening; exit ;; esac
done < /proc/net/unix
echo silent`

async function inspect(connection: Connection, path: string): Promise<string> {
  try {
    const { stdout, stderr } = await connection.exec(['sh', '-c', inspection, 'sh', path], { signal: AbortSignal.timeout(5000) })
    stderr.destroy()
    let answer = ''
    for await (const chunk of stdout as AsyncIterable<Buffer>) answer += chunk.toString('latin1')
    return answer.trim()
  } catch {
    return 'unknown'
  }
}
