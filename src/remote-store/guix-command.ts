import type { Writable } from 'node:stream'
import { MachineError } from '../errors/offload-error.js'
import type { BuildMachine, Connection, RemoteExit, RemoteProcess } from '../plugin-api/index.js'
import type { Consumer } from '../protocol/consumer.js'
import { DaemonError, oneLine } from '../protocol/daemon-error.js'
import { daemonSilent, waitsForCollection } from './daemon-silent.js'
import { feedingScript, noGuix, watchedScript } from './guix-script.js'
import { labelOf } from './label.js'
import { Patience } from './patience.js'
import { socketUnavailable, unavailability } from './socket-unavailable.js'

export interface GuixCommand {
  readonly args: readonly string[]
  readonly step: string
  readonly signal: AbortSignal
  /** Milliseconds in which something has to happen; undefined: no limit. */
  readonly limitMs?: number | undefined
  /** For commands that read; others are ended as soon as the channel is. */
  readonly input?: AsyncIterable<Uint8Array> | undefined
  readonly onOutput?: Consumer | undefined
  /** What it says on stderr, as it comes. Kept besides: the last of it. */
  readonly onComplaint?: Consumer | undefined
}

export interface GuixResult {
  readonly exit: RemoteExit
  /** The last it said on stderr. */
  readonly complaint: string
}

/** Bytes of stderr kept. */
const complaintLimit = 16 * 1024

/**
 * Runs a guix command on the machine to its end, whatever that is; see {@link guixFailure} for one that is not good. Its channel never outlives this call.
 * @throws OffloadFailure what {@link Connection.exec} throws, `daemon-silent`; what the input or a consumer throws; the signal's reason
 */
export async function runGuix(connection: Connection, command: GuixCommand): Promise<GuixResult> {
  const { machine } = connection
  const ending = new AbortController()
  const signal = AbortSignal.any([command.signal, ending.signal])
  const script = command.input === undefined ? watchedScript : feedingScript
  const process = await connection.exec(['/bin/sh', '-c', script, 'guix', machine.daemonSocket, ...command.args], { signal })
  const patience = new Patience(command.limitMs, (limitMs) => ending.abort(daemonSilent(labelOf(machine), command.step, 'said nothing', limitMs)))
  try {
    return await converse(process, command, patience)
  } catch (error) {
    command.signal.throwIfAborted()
    throw ending.signal.aborted ? ending.signal.reason : error
  } finally {
    patience.end()
    ending.abort(new DOMException('finished', 'AbortError'))
  }
}

async function converse(process: RemoteProcess, { input, onOutput, onComplaint }: GuixCommand, patience: Patience): Promise<GuixResult> {
  let complaint = Buffer.alloc(0)
  const complain: Consumer = (bytes) => {
    complaint = Buffer.concat([complaint, bytes]).subarray(-complaintLimit)
    if (waitsForCollection(bytes)) patience.suspend()
    return onComplaint?.(bytes)
  }
  // A command that does not want the rest ends; how it ends says why.
  process.stdin.on('error', () => undefined)
  const ended = process.exit.then(
    () => undefined,
    () => undefined,
  )
  const [exit] = await Promise.all([
    process.exit,
    input === undefined ? undefined : feed(process, input, patience, ended),
    drain(process.stdout, patience, onOutput),
    drain(process.stderr, patience, complain),
  ])
  return { exit, complaint: complaint.toString('utf8') }
}

/**
 * Ends early when the command does. No promise that lives as long as the command is raced in here: what waits on it would keep every chunk from collection.
 */
async function feed({ stdin }: RemoteProcess, input: AsyncIterable<Uint8Array>, patience: Patience, ended: Promise<undefined>): Promise<void> {
  const iterator = input[Symbol.asyncIterator]()
  let over = false
  void ended.then(() => {
    over = true
    // A write that waits will never be taken.
    stdin.destroy()
  })
  try {
    for (;;) {
      const next = await patience.while(iterator.next())
      if (next.done === true || over || !(await taken(stdin, next.value))) break
      patience.renew()
    }
  } finally {
    // Does not wait: the sequence may be stuck.
    iterator.return?.().catch(() => undefined)
    stdin.end()
  }
}

function taken(stdin: Writable, chunk: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => stdin.write(chunk, (error) => resolve(!(error instanceof Error))))
}

async function drain(stream: AsyncIterable<Uint8Array>, patience: Patience, consumer: Consumer | undefined): Promise<void> {
  for await (const bytes of stream) {
    patience.renew()
    const busy = consumer?.(bytes)
    if (busy !== undefined) await patience.while(busy)
  }
}

/** What a guix command means that has failed; the daemon's own errors as if it had been asked directly. */
export function guixFailure(machine: BuildMachine, step: string, { exit, complaint }: GuixResult, logTail = '', status = 1): MachineError {
  if (complaint.includes(noGuix)) {
    return new MachineError({
      code: 'guix-not-found', machine: labelOf(machine), step, problem: 'the machine has no guix command',
      cure: `Install Guix where ${machine.user}'s PATH finds it`,
    })
  }
  const text = /^guix [a-z]+: error: ([^]*)/m.exec(complaint)?.[1]?.trim()
  const reason = text?.startsWith('failed to connect to ') === true ? unavailability(text) : undefined
  if (reason !== undefined) return socketUnavailable(machine, step, reason)
  if (text !== undefined) return new DaemonError(step, text, status, logTail)
  return new MachineError({
    code: 'command-failed', machine: labelOf(machine), step,
    problem: exit.signal === null ? `guix ended with status ${exit.code ?? 'unknown'}` : `guix was ended by signal ${exit.signal}`,
    seen: oneLine(complaint).slice(-300) || 'nothing on stderr',
  })
}
