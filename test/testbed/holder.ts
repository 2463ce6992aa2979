import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { processRow } from './processes.js'
import { waitFor } from './wait.js'

/**
 * A set of Linux namespaces, kept in being by one process: the first of its PID namespace, which reads a pipe from this process and ends at
 * its end of file. When the owner dies, however it dies, the kernel closes the pipe, the holder ends, and with the first process of a PID
 * namespace go all others, the mounts and the interfaces. Nothing has a name on the host that could be left behind.
 */
export interface Holder {
  /** The holder's process id as the host sees it: for `nsenter --target`, /proc/PID/root, /proc/PID/ns. */
  readonly pid: number
  readonly startTime: string
  end(): Promise<void>
}

/**
 * Runs in the holder once its namespaces are set up. Orphans go to it, and with SIGCHLD ignored the kernel buries them; not every shell passes
 * that on to what it executes, env does.
 */
const stay = 'exec env --ignore-signal=CHLD cat > /dev/null 2>&1'

const hostEnvironment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' }

/**
 * `command` unshares namespaces (PID among them) and runs what follows it; `setUp` is a POSIX shell script run inside. /proc is still the host's when
 * it starts, so the first field of /proc/self/stat is the holder's pid on the host.
 */
export const startHolder = async (what: string, command: readonly string[], setUp: string): Promise<Holder> => {
  const script = `set -eu\nread -r host_pid _ < /proc/self/stat\n${setUp}\necho "holding $host_pid"\n${stay}`
  const [file = 'unshare', ...args] = [...command, 'sh', '-c', script]
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: hostEnvironment })
  const exited = once(child, 'exit')
  let output = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  child.stdin.on('error', () => {})
  const pid = await waitFor(`${what} to come up`, () => {
    const match = /^holding (\d+)$/m.exec(output)
    if (match !== null) return Number(match[1])
    const status = child.exitCode ?? child.signalCode
    if (status !== null) throw new Error(`${what} did not come up: ${complaint.trim() || `exit status ${status}`}`)
    return undefined
  })
  const row = await processRow(pid)
  if (row === undefined) throw new Error(`${what} ended as soon as it was up: ${complaint.trim()}`)
  // A program that forgets to take the bed down can still end.
  child.unref()
  for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as unknown as { unref?: () => void }).unref?.()
  return {
    pid,
    startTime: row.startTime,
    async end() {
      child.ref()
      child.stdin.end()
      if (child.exitCode === null && child.signalCode === null) await exited
    },
  }
}
