/**
 * Starts `ssh` as a control master. With `-f` it goes into the background once it is logged in and listens, and the process we started ends: status 0
 * is success. What stays belongs to nobody: it has a session of its own, /dev/null for standard input and output, and for error output a pipe that we
 * close; ssh closes all other files itself. guix-daemon, which waits until the last holder of a build's log has closed it, is not kept waiting.
 *
 * Node's own `spawn` and not execa, which takes 60 ms to import: as long as everything else here together when a master is there already.
 */
import { spawn } from 'node:child_process'
import type { ConnectTimeouts } from 'guix-offload/plugin-api'
import { abortReason, type Failures } from 'guix-offload-ssh-common/failures.js'
import { connectTimeout, handshakeTimeout } from './start-failure.js'
import { StartLog, type Stage } from './start-log.js'

export interface Started {
  readonly log: StartLog
  /** It ended by itself, not logged in. */
  readonly failed: boolean
}

export interface Start {
  readonly program: string
  readonly words: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly timeouts: ConnectTimeouts
  readonly signal: AbortSignal
}

/** How long to wait for the last lines of a process that has ended. */
const restMs = 200

/** @throws OffloadFailure `connect-timeout`, `handshake-timeout`; after an abort the signal's reason; nothing of ssh is left then */
export function startMaster(failures: Failures, { program, words, env, timeouts, signal }: Start): Promise<Started> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortReason(signal))
    let timer: NodeJS.Timeout | undefined
    const startTimer = (ms: number, late: () => Error): void => {
      clearTimeout(timer)
      timer = setTimeout(() => stop(late()), ms)
    }
    const onStage = (stage: Stage): void => {
      if (stage !== 'greeting') return
      // Behind a proxy the network is still to come.
      const ms = timeouts.handshakeMs + (log.proxied ? timeouts.connectMs : 0)
      startTimer(ms, () => handshakeTimeout(failures, log.stage, ms))
    }
    const log = new StartLog(onStage)
    // In a process group of its own, so that it can be ended together with the way through a jump host.
    const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'], env, detached: true, cwd: '/' })
    const release = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      child.stderr.destroy()
    }
    const stop = (reason: Error): void => {
      release()
      killGroup(child.pid)
      reject(reason)
    }
    const onAbort = (): void => stop(abortReason(signal))
    signal.addEventListener('abort', onAbort)
    startTimer(timeouts.connectMs, () => connectTimeout(failures, timeouts.connectMs))
    child.stderr.setEncoding('latin1').on('data', (text: string) => log.push(text)).on('error', () => undefined)
    child.once('error', (cause) => {
      release()
      reject(failures.ofConfiguration({ code: 'program-missing', step: 'starting ssh', problem: `${program} cannot be run`, seen: cause.message, cause }))
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      // The rest of what it said. Where a master stays there is no end of file to wait for: the pipe is in its hands.
      const enough = (): boolean => child.stderr.readableEnded || (code === 0 && log.forking)
      const due = performance.now() + restMs
      const settle = (): void => {
        if (!enough() && performance.now() < due && !signal.aborted) return void setTimeout(settle, 2)
        if (signal.aborted) return
        log.end()
        release()
        resolve({ log, failed: code !== 0 })
      }
      settle()
    })
  })
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}
