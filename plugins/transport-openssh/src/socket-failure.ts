import type { Connection } from 'guix-offload/plugin-api'
import type { Failures } from 'guix-offload-ssh-common/failures.js'

const inspection = 'if ! test -e "$1"; then echo missing; elif ! test -w "$1"; then echo closed; '
  + 'elif ! test -r /proc/net/unix; then echo unknown; elif grep -q "00010000 .* $2\\$" /proc/net/unix; then echo listening; else echo silent; fi'

/**
 * Why a socket there could not be opened. OpenSSH's client keeps the server's reason to itself, so a command looks: if something listens there (flag
 * 00010000 in the kernel's table of Unix sockets), the server does not forward.
 */
export async function socketRefused(connection: Connection, failures: Failures, path: string): Promise<Error> {
  const step = `opening the socket ${path}`
  const unavailable = (seen?: string): Error => failures.ofMachine({
    code: 'socket-unavailable', step, problem: 'the machine has nothing for us to connect to there', seen, cure: 'Is guix-daemon running there, and may the user connect to it?',
  })
  switch (await inspect(connection, path)) {
    case 'listening':
      return failures.ofMachine({
        code: 'forwarding-refused',
        step,
        problem: 'the SSH server does not forward to Unix sockets',
        seen: 'the channel was closed at once, though a server listens on the socket',
        cure: 'Set AllowStreamLocalForwarding yes in its sshd_config (and no DisableForwarding; no restrict or no-port-forwarding for the key in authorized_keys)',
      })
    case 'missing':
      return unavailable('no such file')
    case 'closed':
      return unavailable(`user ${failures.machine.user} may not write to it`)
    case 'silent':
      return unavailable('nothing listens on it')
    default:
      return unavailable()
  }
}

async function inspect(connection: Connection, path: string): Promise<string> {
  try {
    const pattern = path.replace(/[.[\]*^$\\]/g, '\\$&')
    const { stdout, stderr } = await connection.exec(['sh', '-c', inspection, 'sh', path, pattern], { signal: AbortSignal.timeout(5000) })
    stderr.destroy()
    let answer = ''
    for await (const chunk of stdout as AsyncIterable<Buffer>) answer += chunk.toString('latin1')
    return answer.trim()
  } catch {
    return 'unknown'
  }
}
