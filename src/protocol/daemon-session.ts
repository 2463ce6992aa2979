import { ProtocolError } from '../errors/offload-error.js'
import type { ByteFeed, Decoding } from '../wire/byte-feed.js'
import type { ByteChannel } from './byte-channel.js'
import { buildVerdict } from './build-verdict.js'
import { majorVersion, oldestDaemonVersion } from './constants.js'
import { DaemonError } from './daemon-error.js'
import { type Consumer, Exchange, type Request } from './exchange.js'
import * as replies from './replies.js'
import * as requests from './requests.js'

export interface SessionOptions {
  /** Aborting it closes the channel at once: whatever runs is rejected with the signal's reason, and the daemon ends a build it is doing. */
  readonly signal?: AbortSignal | undefined
  /** What the daemon logs during any request but a build. */
  readonly onLog?: Consumer | undefined
  /** Milliseconds in which it has to greet us. */
  readonly greetingMs?: number | undefined
  /** Milliseconds without a byte after which an export that has begun is given up. */
  readonly stallMs?: number | undefined
}

/**
 * A conversation with guix-daemon, one request at a time.
 *
 * Every method rejects with a DaemonError if the daemon refuses (its text and status are in there), a MachineError `daemon-connection-lost` or what
 * the channel rejects with when the connection breaks or, where a limit is set, `daemon-silent`, a ProtocolError when the daemon breaks the protocol, and an InternalError if another request
 * is still running. After the first error but that last one the session is over and its channel closed.
 */
export class DaemonSession {
  readonly #exchange: Exchange
  readonly #options: SessionOptions

  private constructor(
    exchange: Exchange,
    options: SessionOptions,
    /** Of the daemon's protocol, such as 0x164. */
    readonly daemonVersion: number,
  ) {
    this.#exchange = exchange
    this.#options = options
  }

  /**
   * Greets the daemon. The session owns the channel from here on, also if this fails.
   * @throws ProtocolError `malformed-data` if it is no guix-daemon, `unsupported-protocol-version`
   */
  static async open(channel: ByteChannel, options: SessionOptions = {}): Promise<DaemonSession> {
    const exchange = new Exchange(channel, options.signal)
    let version = 0
    await exchange.request({
      step: 'greeting the daemon',
      message: requests.greeting(),
      preamble: function* (feed) {
        version = yield* replies.daemonGreeting(feed)
        if (version < oldestDaemonVersion || majorVersion(version) !== majorVersion(oldestDaemonVersion)) throw unsupported(version)
      },
      reply: replies.nothing,
      onLog: options.onLog,
      silence: options.greetingMs === undefined ? undefined : { ms: options.greetingMs, from: 'request' },
    })
    return new DaemonSession(exchange, options, version)
  }

  /** False once it has failed or was closed. */
  get usable(): boolean {
    return this.#exchange.usable
  }

  isValidPath(path: string): Promise<boolean> {
    return this.#request('asking whether an item is valid', requests.isValidPath(path), replies.truth)
  }

  /** Adds a text with the references it is to have, all of which must be valid; resolves to its store path. */
  addTextToStore(name: string, text: string | Uint8Array, references: readonly string[]): Promise<string> {
    return this.#request('adding a text to the store', requests.addTextToStore(name, text, references), replies.path)
  }

  /**
   * Builds one derivation; what the builder prints goes to `onLog`, and the daemon's own messages with it.
   * @throws BuildError `build-failed` (status 100), `build-timed-out` (101) if the derivation is at fault; MachineError `builder-killed`, `disk-full`; the cause of
   * these is the DaemonError
   */
  async buildPaths(derivation: string, onLog?: Consumer): Promise<void> {
    try {
      await this.#request('building', requests.buildPaths([derivation]), replies.one, { onLog })
    } catch (error) {
      throw error instanceof DaemonError ? buildVerdict(error, derivation) : error
    }
  }

  /** Keeps an item, which need not exist yet, from collection until the session ends. */
  addTempRoot(path: string): Promise<void> {
    return this.#request('protecting an item from collection', requests.addTempRoot(path), replies.one)
  }

  /** Passes one member of a bundle (archive, trailer and signature; without the leading 1) to `onData`. */
  exportPath(path: string, onData: Consumer, sign = true): Promise<void> {
    const { stallMs } = this.#options
    const silence = stallMs === undefined ? undefined : ({ ms: stallMs, from: 'data' } as const)
    return this.#request('exporting an item', requests.exportPath(path, sign), replies.one, { onData, silence })
  }

  setOptions(options: requests.DaemonOptions): Promise<void> {
    return this.#request('setting options', requests.setOptions(options), replies.nothing)
  }

  /** Refused by the daemon if the item is not valid. */
  queryPathInfo(path: string): Promise<replies.PathInfo> {
    return this.#request('asking about an item', requests.queryPathInfo(path), replies.pathInfo)
  }

  /** Imports a whole bundle; resolves to the store paths in it. */
  importPaths(bundle: AsyncIterable<Uint8Array>): Promise<string[]> {
    return this.#request('importing items', requests.importPaths(), replies.paths, { source: bundle })
  }

  /** Those that are valid, in no particular order. */
  queryValidPaths(paths: readonly string[]): Promise<string[]> {
    return this.#request('asking which items are valid', requests.queryValidPaths(paths), subsetOf(paths))
  }

  /** Those that a substitute server has. */
  querySubstitutablePaths(paths: readonly string[]): Promise<string[]> {
    return this.#request('asking which items can be substituted', requests.querySubstitutablePaths(paths), subsetOf(paths))
  }

  /** Hangs up; what runs is rejected. Safe to call twice. */
  close(): void {
    this.#exchange.close()
  }

  #request<T>(step: string, message: Uint8Array, reply: Request<T>['reply'], more: Partial<Request<T>> = {}): Promise<T> {
    return this.#exchange.request({ step, message, reply, onLog: this.#options.onLog, ...more })
  }
}

function subsetOf(asked: readonly string[]): (feed: ByteFeed) => Decoding<string[]> {
  return function* (feed) {
    const answer = yield* replies.paths(feed)
    const known = new Set(asked)
    const stranger = answer.find((path) => !known.has(path))
    if (stranger !== undefined) throw feed.fail('an item in the answer that was not asked about', { seen: JSON.stringify(stranger) })
    return answer
  }
}

function unsupported(version: number): ProtocolError {
  const hex = (value: number): string => `0x${value.toString(16)}`
  return new ProtocolError({
    code: 'unsupported-protocol-version',
    step: 'greeting the daemon',
    problem: 'the daemon speaks a version of the protocol that we do not',
    expected: `${hex(oldestDaemonVersion)} to ${hex(majorVersion(oldestDaemonVersion))}ff`,
    seen: hex(version),
    cure: version < oldestDaemonVersion ? 'Guix 1.2.0 or newer is needed there' : 'A newer guix-offload is needed here',
  })
}
