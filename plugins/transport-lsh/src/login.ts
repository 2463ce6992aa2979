import { setTimeout as sleep } from 'node:timers/promises'
import { abortReason } from 'guix-offload-ssh-common/failures.js'
import { LshProcess, type LshOptions } from './lsh-process.js'
import { loginFailure, tookTooLong, type Attempt } from './login-failure.js'
import { Pulse } from './pulse.js'
import { shownHostKey } from './shown-host-key.js'
import type { WorkFolder } from './work-folder.js'

/** A logged-in lsh with its gateway open. */
export interface Session {
  readonly process: LshProcess
  readonly folder: WorkFolder
  readonly pulse: Pulse
  readonly roundTripMs: number
  readonly progress: Attempt['progress']
}

/** For what happens after the time for the login is spent: to ask for the host key that was shown, for the message. */
const graceMs = 3000

export interface LoginTask {
  readonly options: LshOptions
  readonly folder: WorkFolder
  /** What is known so far, for the error. */
  readonly attempt: () => Attempt
  readonly handshakeMs: number
  readonly signal: AbortSignal
}

/** Runs lsh until its gateway answers. Whatever goes wrong, it has ended when this rejects. */
export async function login({ options, folder, attempt, handshakeMs, signal }: LoginTask): Promise<Session> {
  const { failures, progress } = attempt()
  let failure: Error | undefined
  let loggedIn = (): void => undefined
  const ready = new Promise<'ready'>((resolve) => {
    loggedIn = () => resolve('ready')
  })
  const process = new LshProcess(options, (line) => {
    progress.line(line)
    if (progress.stage === 'logged in') loggedIn()
  })
  const stop = (error: Error): void => {
    failure ??= error
    process.kill()
  }
  const onAbort = (): void => stop(abortReason(signal))
  const timer = setTimeout(() => stop(tookTooLong(failures, progress, handshakeMs)), handshakeMs)
  signal.addEventListener('abort', onAbort)
  const ended = process.ended.then(() => 'ended' as const)
  try {
    if (signal.aborted) onAbort()
    if (await Promise.race([ready, ended]) === 'ready') {
      const pulse = await openPulse(folder.gateway, ended)
      const roundTripMs = await pulse?.roundTrip(2).catch(() => undefined)
      if (pulse !== undefined && roundTripMs !== undefined && failure === undefined) return { process, folder, pulse, roundTripMs, progress }
      pulse?.stop()
    }
    process.kill()
    await ended
    throw failure ?? await loginFailure(attempt(), () => shownHostKey(options, graceMs))
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

/** The socket is there a moment after lsh has said that it is logged in. */
async function openPulse(path: string, ended: Promise<unknown>): Promise<Pulse | undefined> {
  let over = false
  void ended.then(() => {
    over = true
  })
  while (!over) {
    const pulse = await Pulse.open(path).catch(() => undefined)
    if (pulse !== undefined) return pulse
    await sleep(3)
  }
  return undefined
}
