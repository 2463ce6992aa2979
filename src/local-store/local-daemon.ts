import type { Socket } from 'node:net'
import { MachineError, ProtocolError } from '../errors/offload-error.js'
import { DaemonSession } from '../protocol/daemon-session.js'
import { DaemonError } from '../protocol/daemon-error.js'
import { despiteFirstUse } from '../protocol/first-use.js'
import type { Consumer } from '../protocol/consumer.js'
import type { PathInfo } from '../protocol/replies.js'
import { DuplexChannel } from '../remote-store/duplex-channel.js'
import { connectToDaemon } from './connect-to-daemon.js'

/**
 * The daemon of this machine, for what cannot be had without it: facts from its database, protection from collection, signatures where the signing
 * key is not ours to read. Nothing that is being built here may be imported through it: it holds the locks on the outputs while a hook runs.
 *
 * One request at a time. After an error it is of no more use; what it protected is protected until {@link LocalDaemon.close}.
 */
export class LocalDaemon {
  readonly #session: DaemonSession

  private constructor(session: DaemonSession) {
    this.#session = session
  }

  /**
   * @param socket absolute path of its Unix socket
   * @throws MachineError `local-daemon-unreachable`, never retried elsewhere; the reason of the signal
   */
  static async open(socket: string, signal?: AbortSignal): Promise<LocalDaemon> {
    return new LocalDaemon(await here(despiteFirstUse(async () => {
      const channel = new DuplexChannel(await connection(socket, signal))
      try {
        return await DaemonSession.open(channel, { signal })
      } catch (error) {
        throw error instanceof MachineError && error.code === 'daemon-connection-lost' ? unreachable(socket, error.report.problem, error) : error
      }
    })))
  }

  /**
   * What the database knows of an item.
   * @throws MachineError `item-not-valid`
   */
  async pathInfo(path: string): Promise<PathInfo> {
    return this.#valid(path, 'looking up an item in the local store', this.#session.queryPathInfo(path))
  }

  /** Keeps an item, which need not exist yet, from collection until {@link LocalDaemon.close}. */
  addTempRoot(path: string): Promise<void> {
    return here(this.#session.addTempRoot(path))
  }

  /** Adds a text with the references it is to have; resolves to its store path. */
  addText(name: string, text: string | Uint8Array, references: readonly string[]): Promise<string> {
    return here(this.#session.addTextToStore(name, text, references))
  }

  /** Those that are valid, in no particular order. */
  queryValidPaths(paths: readonly string[]): Promise<string[]> {
    return here(this.#session.queryValidPaths(paths))
  }

  /** Those that a substitute server has; none where the daemon uses no substitutes. */
  querySubstitutablePaths(paths: readonly string[]): Promise<string[]> {
    return here(this.#session.querySubstitutablePaths(paths))
  }

  /**
   * Passes one member of a bundle, signed by the daemon, to `onData`: archive, trailer and signature, without the 1 that introduces it.
   * @throws MachineError `item-not-valid`
   */
  async exportSigned(path: string, onData: Consumer): Promise<void> {
    await this.#valid(path, 'exporting an item of the local store', this.#session.exportPath(path, onData))
  }

  /** Safe to call twice. */
  close(): void {
    this.#session.close()
  }

  async #valid<T>(path: string, step: string, work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      if (!(error instanceof DaemonError) || !/ is not valid$/.test(error.text.trim())) throw ours(error)
      throw new MachineError({ code: 'item-not-valid', step, subject: path, problem: 'the item is not in the local store', cause: error }, 'never')
    }
  }
}

async function here<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw ours(error)
  }
}

/** What goes wrong with this machine's daemon goes wrong whichever machine is to build. */
function ours(error: unknown): unknown {
  if (!(error instanceof MachineError || error instanceof ProtocolError) || error.retry === 'never') return error
  return new MachineError({ ...error.report, step: `${error.report.step}, with the local guix-daemon`, cause: error }, 'never')
}

async function connection(socket: string, signal: AbortSignal | undefined): Promise<Socket> {
  try {
    return await connectToDaemon(socket, signal)
  } catch (error) {
    if (signal?.aborted === true || !(error instanceof Error)) throw error
    throw unreachable(socket, error.message, error)
  }
}

function unreachable(socket: string, problem: string, cause: Error): MachineError {
  const report = { code: 'local-daemon-unreachable', step: 'reaching the local guix-daemon', subject: socket, problem, cause }
  return new MachineError({ ...report, cure: 'Check that guix-daemon runs and that GUIX_DAEMON_SOCKET, if set, names its socket' }, 'never')
}
