import type { Readable } from 'node:stream'
import { BuildError, InternalError, OffloadError } from '../errors/offload-error.js'
import type { BuildRequest } from '../plugin-api/index.js'
import type { DaemonOutput } from './daemon-output.js'
import { LineReader } from './line-reader.js'
import { parsePaths, parseRequest } from './request.js'

/** An answer to one request. Accepting takes on an obligation: either `offload` or `abandon` is called, exactly once. */
export type Decision =
  | {
      readonly reply: 'decline' | 'postpone'
      /** What can wait until guix-daemon has its answer. */
      afterwards?(): Promise<void>
    }
  | {
      readonly reply: 'accept'
      /** Has it built; fulfilled with the exit status. It must heed the signal that `decide` got. */
      offload(inputs: string[], outputs: string[]): Promise<number>
      /** Gives back what was reserved: guix-daemon has gone away. */
      abandon(): Promise<void>
    }

export interface HookOptions {
  /** fd 0. */
  readonly input: Readable
  readonly output: DaemonOutput
  /** `signal` is aborted when we are told to stop or when nobody reads our output any more. */
  readonly decide: (request: BuildRequest, signal: AbortSignal) => Promise<Decision>
  /** Aborted by SIGTERM and the like. */
  readonly signal: AbortSignal
  /** Milliseconds that are left for cleaning up once the signal is aborted. */
  readonly cleanUpMs?: number
}

/** A request is short; the paths of a closure are not. */
const maxRequestBytes = 1024 * 1024
const maxPathsBytes = 512 * 1024 * 1024

/** What guix-daemon takes for a passing failure of the hook. */
const transientFailure = 1

/**
 * The conversation with guix-daemon: requests come in, each is answered with `# accept`, `# decline` or `# postpone`. After an
 * accept the daemon names the inputs and the outputs, and this process serves that one build. Never rejected: what goes wrong is told to the user.
 * @returns the exit status: 0 also when the daemon has gone without a build for us
 */
export async function runHook({ input, output, decide, signal, cleanUpMs = 5_000 }: HookOptions): Promise<number> {
  const stop = AbortSignal.any([signal, output.gone])
  const lines = new LineReader(input)
  try {
    const conversation = converse(lines, output, (request) => decide(request, stop), stop)
    return await orGiveUp(conversation, stop, cleanUpMs)
  } catch (error) {
    if (stop.aborted) return transientFailure
    const failure = error instanceof OffloadError ? error : new InternalError(error instanceof Error ? error.message : String(error), error)
    output.message(`guix offload: error: ${failure.message}`)
    return failure instanceof BuildError ? failure.status : transientFailure
  } finally {
    input.destroy()
  }
}

async function converse(
  lines: LineReader,
  output: DaemonOutput,
  decide: (request: BuildRequest) => Promise<Decision>,
  stop: AbortSignal,
): Promise<number> {
  for (;;) {
    const line = await unlessAborted(lines.next(maxRequestBytes), stop)
    if (line === undefined) return 0
    const decision = await decide(parseRequest(line))
    if (decision.reply === 'accept') return serve(lines, output, decision, stop)
    if (!output.reply(decision.reply)) return transientFailure
    await decision.afterwards?.()
  }
}

async function serve(lines: LineReader, output: DaemonOutput, accepted: Extract<Decision, { reply: 'accept' }>, stop: AbortSignal): Promise<number> {
  let paths: { inputs: string; outputs: string } | undefined
  try {
    if (!stop.aborted && output.reply('accept')) paths = await readPaths(lines, stop)
  } catch (error) {
    await accepted.abandon()
    throw error
  }
  if (paths === undefined) {
    await accepted.abandon()
    return transientFailure
  }
  const stopWatching = output.watch()
  try {
    return await accepted.offload(parsePaths(paths.inputs), parsePaths(paths.outputs))
  } finally {
    stopWatching()
  }
}

async function readPaths(lines: LineReader, stop: AbortSignal): Promise<{ inputs: string; outputs: string } | undefined> {
  const inputs = await unlessAborted(lines.next(maxPathsBytes), stop)
  if (inputs === undefined) return undefined
  const outputs = await unlessAborted(lines.next(maxPathsBytes), stop)
  return outputs === undefined ? undefined : { inputs, outputs }
}

/** Waits for `work`, but once `stop` is aborted no longer than `ms`. */
function orGiveUp(work: Promise<number>, stop: AbortSignal, ms: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const onStop = () => {
      timer = setTimeout(() => resolve(transientFailure), ms)
    }
    const done = () => {
      clearTimeout(timer)
      stop.removeEventListener('abort', onStop)
    }
    work.finally(done).then(resolve, reject)
    if (stop.aborted) onStop()
    else stop.addEventListener('abort', onStop, { once: true })
  })
}

/** Rejected with the signal's reason when it is aborted first; leaves no listener. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    stop = () => signal.removeEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([aborted, work])
  } finally {
    stop()
  }
}
