import { setTimeout as sleep } from 'node:timers/promises'
import { OffloadError } from '../errors/offload-error.js'
import type { Connection, Log } from '../plugin-api/index.js'
import type { ByteChannel } from '../protocol/byte-channel.js'
import { DaemonSession } from '../protocol/daemon-session.js'
import type { Consumer } from '../protocol/consumer.js'
import { despiteFirstUse } from '../protocol/first-use.js'
import type { Rung } from '../state/rung-memory.js'
import { atMachine, type Place } from './at-machine.js'
import { buildOverdue, verdictGraceMs, waitsForCollection } from './daemon-silent.js'
import { daemonOptions } from './daemon-options.js'
import { openSocketChannel } from './socket-channel.js'
import { labelOf } from './label.js'
import type { Bundle, BuildOptions, RemoteStore } from './remote-store.js'
import { fasterRoute, mayGoAnotherWay, otherRoute, type Route } from './routes.js'
import { StallGuard } from './stall-guard.js'
import { WatchedSink, WatchedSource } from './watched.js'

export interface SocketStoreOptions {
  /** Ends everything: its reason is what running methods reject with. */
  readonly signal: AbortSignal
  /** What the daemon logs beside a build. */
  readonly onLog?: Consumer | undefined
  /** Milliseconds the daemon has for its greeting; undefined: for ever. */
  readonly greetingMs?: number | undefined
  /**
   * Milliseconds without a byte after which a request other than a build is given up; undefined: never. A daemon that has said that it waits for a collection of garbage may
   * take its time.
   */
  readonly stallMs?: number | undefined
  /** How to get to the daemon's socket; by the connection's own means unless this is said. */
  readonly openChannel?: OpenChannel | undefined
  readonly rung?: Rung | undefined
  /** How bundles are sent; undefined: the faster way. */
  readonly route?: Route | undefined
  readonly log?: Log | undefined
}

export type OpenChannel = (connection: Connection, options: Pick<SocketStoreOptions, 'signal' | 'greetingMs'>) => Promise<ByteChannel>

interface GuardedSession {
  readonly session: DaemonSession
  readonly guard: StallGuard
}

/** Protecting items costs a round trip each; no more time than this is spent on it. */
const keepBudgetMs = 300
/** How long clients take to be let in, with a host that is busy. */
const queuePausesMs = [30, 100, 300]
/** What the daemon itself needs for one of them. */
const keepCostMs = 0.3

/**
 * A remote store over channels to the socket of its guix-daemon. The first session does the work and lives as long as the store, because what it
 * protects from collection is protected no longer. A second one is opened only to warm up signing while the first one builds; the exports then go
 * over it, since the signing agent belongs to a session.
 */
export class SocketStore implements RemoteStore {
  readonly rung: Rung
  readonly #connection: Connection
  readonly #options: SocketStoreOptions
  #main: GuardedSession
  #kept: readonly string[] = []
  /** Set once the second session has signed something. */
  #signer: DaemonSession | undefined
  #warmUp: Promise<void> | undefined
  /** Ends what is done beside the first session. */
  readonly #closing = new AbortController()
  readonly #signal: AbortSignal
  /** The first session has its own signing agent: it was needed to check what we imported. */
  #mainSigns = false

  private constructor(connection: Connection, options: SocketStoreOptions, main: GuardedSession) {
    this.rung = options.rung ?? 'socket'
    this.#signal = AbortSignal.any([options.signal, this.#closing.signal])
    this.#connection = connection
    this.#options = options
    this.#main = main
  }

  /**
   * @throws OffloadFailure what {@link Connection.openSocket} throws, `socket-unavailable` when the transport cannot open sockets,
   * `unsupported-protocol-version`, `malformed-data` when something else than a guix-daemon answers
   */
  static async open(connection: Connection, options: SocketStoreOptions): Promise<SocketStore> {
    return new SocketStore(connection, options, await openSession(connection, options))
  }

  /** Of the protocol, such as 0x164. */
  get daemonVersion(): number {
    return this.#main.session.daemonVersion
  }

  async missing(paths: readonly string[]): Promise<string[]> {
    if (paths.length === 0) return []
    const valid = new Set(await this.#at({ step: 'asking what is missing' }, this.#main.session.queryValidPaths(paths)))
    return paths.filter((path) => !valid.has(path))
  }

  addText(name: string, text: string | Uint8Array, references: readonly string[]): Promise<string> {
    return this.#at({ step: 'adding a text to its store', subject: name }, this.#main.session.addTextToStore(name, text, references))
  }

  /** Either in answers to the daemon, which asks for one piece after the other, or as a stream beside it; if one fails, by the other. */
  async importBundle(bundle: Bundle, size: number): Promise<void> {
    const route = this.#options.route ?? fasterRoute(size, this.#connection.roundTripMs)
    try {
      await this.#send(bundle(), route)
    } catch (error) {
      if (!mayGoAnotherWay(error) || this.#options.signal.aborted) throw error
      const other = otherRoute(route)
      this.#options.log?.warn(`${error instanceof Error ? error.message : String(error)}; sent as ${route}, trying ${other}`)
      try {
        if (!this.#main.session.usable) await this.#reopen()
        await this.#send(bundle(), other)
      } catch (second) {
        throw mayGoAnotherWay(second) ? error : second
      }
    }
  }

  async build(derivation: string, options: BuildOptions, onLog: Consumer): Promise<void> {
    await this.#at({}, this.#main.session.setOptions(daemonOptions(options)))
    const guard = this.#main.guard
    guard.limitMs = options.maxSilentTime > 0 ? options.maxSilentTime * 1000 + verdictGraceMs : undefined
    const timer = options.timeout > 0 ? setTimeout(() => guard.fail(buildOverdue(labelOf(this.#connection.machine), options.timeout)), options.timeout * 1000 + verdictGraceMs) : undefined
    try {
      await this.#at({ step: 'building', subject: derivation }, this.#main.session.buildPaths(derivation, onLog))
    } finally {
      clearTimeout(timer)
      guard.limitMs = this.#options.stallMs
    }
  }

  async exportItem(path: string, onData: Consumer): Promise<void> {
    await this.#warmUp
    const session = this.#signer ?? this.#main.session
    const sink = new WatchedSink(onData)
    try {
      await session.exportPath(path, sink.take)
    } catch (error) {
      // What the consumer makes of the data, and what goes wrong in our own store, is the consumer's to tell.
      throw error === sink.failure ? error : this.#place(error, { step: 'retrieving a store item', subject: path })
    }
  }

  async keep(paths: readonly string[]): Promise<number> {
    const affordable = Math.floor(keepBudgetMs / (this.#connection.roundTripMs + keepCostMs))
    const kept = paths.slice(0, affordable)
    this.#kept = kept
    for (const path of kept) await this.#at({ subject: path }, this.#main.session.addTempRoot(path))
    return kept.length
  }

  warmUpSigning(path: string): Promise<void> {
    if (this.#mainSigns) return Promise.resolve()
    this.#warmUp ??= this.#signOnce(path)
    return this.#warmUp
  }

  async #send(bundle: AsyncIterable<Uint8Array>, route: Route): Promise<void> {
    if (route === 'stream') {
      const { importStream } = await import('./import-stream.js')
      return importStream(this.#connection, bundle, { signal: this.#signal, stallMs: this.#options.stallMs })
    }
    const source = new WatchedSource(bundle)
    try {
      await this.#main.session.importPaths(source)
      this.#mainSigns = true
    } catch (error) {
      // What went wrong while we read our own store is not the machine's.
      throw error === source.failure ? error : this.#place(error, { step: 'sending store items' })
    }
  }

  /** With its session went the protection from collection. */
  async #reopen(): Promise<void> {
    this.#main.session.close()
    this.#main = await openSession(this.#connection, { ...this.#options, signal: this.#signal })
    for (const path of this.#kept) await this.#at({ subject: path }, this.#main.session.addTempRoot(path))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#main.session.close()
    this.#signer?.close()
    await this.#warmUp
  }

  /** An optimisation: when it does not work out, the first session does the exports. */
  async #signOnce(path: string): Promise<void> {
    let session: DaemonSession | undefined
    try {
      session = (await openSession(this.#connection, { ...this.#options, signal: this.#signal })).session
      this.#signer = session
      await session.exportPath(path, () => undefined)
    } catch {
      session?.close()
      this.#signer = undefined
    }
  }

  async #at<T>(place: Omit<Place, 'machine'>, work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      throw this.#place(error, place)
    }
  }

  #place(error: unknown, place: Omit<Place, 'machine'>): unknown {
    return atMachine(error, { machine: labelOf(this.#connection.machine), ...place })
  }
}

/** Adding, keeping and exporting an item wait for a collection that is under way, which may take hours; the daemon says so, once. */
function patient(guard: StallGuard, onLog: Consumer | undefined): Consumer {
  return (bytes) => {
    if (waitsForCollection(bytes)) guard.suspend()
    return onLog?.(bytes)
  }
}

/**
 * guix-daemon lets five clients wait, and sshd does not wait for its turn. The price is paid for nothing where forwarding is forbidden, but not by those who remember that.
 * @throws whatever `open` throws in the end
 */
async function despiteFullQueue<T>(signal: AbortSignal, open: () => Promise<T>): Promise<T> {
  for (const pause of queuePausesMs) {
    try {
      return await open()
    } catch (error) {
      if (!(error instanceof OffloadError) || error.code !== 'forwarding-refused' || error.retry !== 'later') throw error
      await sleep(pause * (0.5 + Math.random()))
      signal.throwIfAborted()
    }
  }
  return open()
}

async function openSession(connection: Connection, options: SocketStoreOptions): Promise<GuardedSession> {
  const { machine } = connection
  const place = { machine: labelOf(machine), step: 'reaching its guix-daemon', subject: machine.daemonSocket }
  const { signal, greetingMs, openChannel = openSocketChannel } = options
  try {
    return await despiteFullQueue(signal, () => despiteFirstUse(async () => {
      const guard = new StallGuard(await openChannel(connection, { signal, greetingMs }), place.machine, greetingMs)
      const session = await DaemonSession.open(guard, { signal, onLog: patient(guard, options.onLog) })
      guard.limitMs = options.stallMs
      guard.step = 'waiting for its guix-daemon'
      return { guard, session }
    }))
  } catch (error) {
    throw atMachine(error, place)
  }
}
