import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RemoteExit, RemoteProcess } from 'guix-offload/plugin-api'
import { InputStream, OutputStream, type Verdict } from './channel-streams.js'
import { readCommandLog, type CommandLog } from './command-log.js'
import type { Failures } from 'guix-offload-ssh-common/failures.js'
import { commandArguments } from './master-plan.js'
import type { MasterSetup } from './master.js'
import { sshEnvironment } from './ssh-program.js'

export interface RunningCommand {
  readonly process: RemoteProcess
  /** Ends everything on it with this error, at once. */
  kill(error: Error): void
  /** Fulfilled when the local ssh has ended. */
  readonly gone: Promise<void>
}

export interface CommandEnvironment {
  readonly setup: MasterSetup
  readonly homeDirectory: string
  readonly verdict: Verdict
}

/** No answer to the opening of a channel; thrown for the connection to judge. */
export class NoChannel extends Error {
  constructor(readonly why: 'refused' | 'late' | 'failed', message: string) {
    super(message)
  }
}

/**
 * Runs a command through the master, in a process of ssh that hands its standard streams over to the master and then only waits for the exit status.
 * @throws NoChannel
 */
export async function startCommand(environment: CommandEnvironment, line: string, step: string, openMs: number, cut: AbortSignal): Promise<RunningCommand> {
  const { setup, homeDirectory, verdict } = environment
  const { failures, folder, paths, plan, program } = setup
  const path = `${folder}/${plan.name}.${randomBytes(6).toString('hex')}`
  const log = await open(path, 'wx+', 0o600)
  const words = commandArguments(paths, path, plan.machine, line)
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], env: sshEnvironment(homeDirectory), cwd: '/' })
  const ended = new Promise<Error | undefined>((resolve) => {
    child.once('exit', () => resolve(undefined)).once('error', resolve)
  })
  const gone = ended.then(() => undefined)
  const commandOver = (): Error => failures.ofMachine({ code: 'channel-closed', step, problem: 'the command has ended and reads no more input' })
  // At once: what a fast command has said would be thrown away when its ssh has ended and nobody listens.
  const stdin = new InputStream(child.stdin, verdict, commandOver)
  const stdout = new OutputStream(child.stdout, verdict)
  const stderr = new OutputStream(child.stderr, verdict)
  const destroy = (error?: Error): void => {
    child.kill('SIGKILL')
    for (const stream of [stdin, stdout, stderr]) stream.destroy(error)
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
  }
  try {
    await opened(log, ended, openMs, cut)
    // It is open in two processes, and nobody else needs its name.
    await rm(path, { force: true })
  } catch (error) {
    destroy()
    await log.close()
    await rm(path, { force: true })
    throw error
  }

  let kill: (error: Error) => void = () => undefined
  const exit = new Promise<RemoteExit>((resolve, reject) => {
    kill = (error) => {
      reject(error)
      destroy(error)
    }
    ended.then(async () => exitOf(await readLog(log), verdict, failures, step)).then(resolve, reject).finally(() => void log.close())
  })
  exit.catch(() => undefined)
  return { process: { stdin, stdout, stderr, exit }, kill: (error) => kill(error), gone }
}

async function exitOf({ exitCode, messages }: CommandLog, verdict: Verdict, failures: Failures, step: string): Promise<RemoteExit> {
  if (exitCode !== undefined) return { code: exitCode, signal: null }
  const lost = await verdict()
  if (lost !== undefined) throw lost
  throw failures.ofMachine({
    code: 'exit-unknown',
    step,
    problem: 'the command ended and ssh does not say how: a signal ended it, or its session was cut off',
    seen: messages.length === 0 ? undefined : messages.join('; '),
    cure: 'The machine\'s log may tell; if memory ran out, allow fewer builds at a time',
  })
}

/** Waits until the channel is open. */
async function opened(log: FileHandle, ended: Promise<Error | undefined>, openMs: number, cut: AbortSignal): Promise<void> {
  const due = performance.now() + openMs
  let over = false
  let failure: Error | undefined
  void ended.then((error) => {
    over = true
    failure = error
  })
  for (let pause = 2; ; pause = Math.min(20, pause * 1.4)) {
    const last = over
    const state = await readLog(log)
    if (state.refused !== undefined) throw new NoChannel('refused', state.refused)
    if (state.opened) return
    if (last) throw new NoChannel('failed', failure?.message ?? state.messages.join('; '))
    if (cut.aborted) throw new NoChannel('failed', 'aborted')
    if (performance.now() > due) throw new NoChannel('late', `no answer within ${openMs / 1000} s`)
    await Promise.race([sleep(pause), ended])
  }
}

/** Far longer than ssh's messages about one command. */
const longestLog = 64 * 1024

async function readLog(log: FileHandle): Promise<CommandLog> {
  const { buffer, bytesRead } = await log.read(Buffer.alloc(longestLog), 0, longestLog, 0)
  return readCommandLog(buffer.toString('latin1', 0, bytesRead))
}
