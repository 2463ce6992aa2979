import { connect, isIP, type Socket } from 'node:net'
import { abortReason, type Failures } from './failures.js'

const unreachable = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EHOSTDOWN', 'EADDRNOTAVAIL', 'EACCES', 'EPERM'])
const nameErrors = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NONAME', 'EAI_NODATA', 'ENODATA'])

/** Looks the name up and connects, within `connectMs` altogether. */
export function dial(failures: Failures, connectMs: number, signal: AbortSignal): Promise<Socket> {
  const { machine } = failures
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortReason(signal))
    const host = machine.address ?? machine.name
    let addresses = isIP(host) === 0 ? [] : [host]
    const socket = connect({
      host,
      port: machine.port,
      noDelay: true,
      autoSelectFamily: true,
      // Of several addresses, one after the other is tried: a far one must not be given up after Node's 250 ms.
      autoSelectFamilyAttemptTimeout: Math.max(250, Math.ceil(connectMs / 4)),
    })
    const finish = (error?: Error): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.off('lookup', onLookup).off('connect', onConnect).off('error', onError)
      if (error === undefined) return resolve(socket)
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => finish(abortReason(signal))
    const onLookup = (error: Error | null, address: string): void => {
      if (error === null) addresses = [...addresses, address]
    }
    const onConnect = (): void => finish()
    const onError = (error: Error): void => finish(dialFailure(failures, error, connectMs, addresses))
    const timer = setTimeout(() => finish(timedOut(failures, connectMs, addresses)), connectMs)
    signal.addEventListener('abort', onAbort)
    // Stays for the life of the socket: whoever uses it is told by its 'close'.
    socket.on('error', () => undefined)
    socket.on('lookup', onLookup).on('connect', onConnect).on('error', onError)
  })
}

function timedOut(failures: Failures, connectMs: number, addresses: readonly string[]): Error {
  if (addresses.length === 0) return nameFailure(failures, `no name server answered within ${connectMs / 1000} s`)
  return failures.ofMachine({
    code: 'connect-timeout',
    step: 'connecting',
    problem: `no answer from ${place(failures, addresses)} within ${connectMs / 1000} s`,
    cure: 'Is the machine up, and does no firewall drop the packets on the way?',
  })
}

function nameFailure(failures: Failures, seen: string, cause?: unknown): Error {
  return failures.ofMachine({
    code: 'name-not-found',
    step: 'looking up the name',
    problem: `the name ${failures.machine.name} cannot be resolved`,
    seen,
    cause,
    cure: 'Check its spelling and `getent hosts` as the user that guix-daemon runs as',
  })
}

/** A failed system call, or several (AggregateError) where the name has several addresses: the most telling one decides. */
function dialFailure(failures: Failures, error: Error, connectMs: number, addresses: readonly string[]): Error {
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
  const codes = errors.map((each) => (each instanceof Error && 'code' in each ? String(each.code) : ''))
  const seen = errors.map((each) => (each instanceof Error ? each.message : String(each))).join('; ')
  if (codes.some((code) => nameErrors.has(code))) return nameFailure(failures, codes.join(', '), error)
  if (codes.includes('ECONNREFUSED')) {
    return failures.ofMachine({
      code: 'connection-refused',
      step: 'connecting',
      problem: `nothing listens on ${place(failures, addresses)}`,
      seen,
      cause: error,
      cure: 'Is the SSH server running, and is the port right?',
    })
  }
  if (codes.some((code) => unreachable.has(code))) {
    return failures.ofMachine({
      code: 'network-unreachable',
      step: 'connecting',
      problem: `there is no way to ${place(failures, addresses)}`,
      seen,
      cause: error,
      cure: 'Check the network between the two, and the firewall',
    })
  }
  if (codes.includes('ETIMEDOUT')) return timedOut(failures, connectMs, addresses)
  return failures.ofMachine({ code: 'network-unreachable', step: 'connecting', problem: `connecting to ${place(failures, addresses)} failed`, seen, cause: error })
}

function place(failures: Failures, addresses: readonly string[]): string {
  const hosts = addresses.length === 0 ? [failures.machine.name] : [...new Set(addresses)]
  return hosts.map((host) => (host.includes(':') ? `[${host}]:${failures.machine.port}` : `${host}:${failures.machine.port}`)).join(', ')
}
