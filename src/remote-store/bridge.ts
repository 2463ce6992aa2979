import { MachineError } from '../errors/offload-error.js'
import type { Connection, RemoteExit, RemoteProcess } from '../plugin-api/index.js'
import type { ByteChannel } from '../protocol/byte-channel.js'
import { bridgeMark, bridgeProgram, bridgeScript } from './bridge-script.js'
import { DuplexChannel } from './duplex-channel.js'
import { labelOf } from './label.js'
import { StallGuard } from './stall-guard.js'
import { socketUnavailable, unavailability } from './socket-unavailable.js'
import { TailText } from './tail-text.js'

export interface BridgeOptions {
  readonly signal: AbortSignal
  /** Milliseconds the bridge has for its first words; undefined: for ever. */
  readonly greetingMs?: number | undefined
}

/** What may come before the bridge says its first word, in bytes. */
const greetingLimit = 64 * 1024
const step = 'reaching its guix-daemon by a bridge'

/**
 * The daemon's socket through a command: socat where the machine has it, else a few lines of Scheme in `guix repl`. For servers that do not forward to sockets.
 * @throws OffloadFailure `bridge-unavailable` (neither is there, or does not start), `socket-unavailable` (nothing listens), and what
 * {@link Connection.exec} throws
 */
export async function openBridge(connection: Connection, options: BridgeOptions): Promise<ByteChannel> {
  const { machine } = connection
  // The channel is ended by its signal: there is no other way to make a command see that nobody listens any more.
  const closing = new AbortController()
  const process = await connection.exec(['/bin/sh', '-c', bridgeScript, 'sh', machine.daemonSocket], { signal: AbortSignal.any([options.signal, closing.signal]) })
  const bridge = new BridgeChannel(process, closing, connection)
  const guarded = new StallGuard(bridge, labelOf(machine), options.greetingMs)
  guarded.step = step
  try {
    await bridge.start(guarded)
    return bridge
  } catch (error) {
    bridge.close()
    throw options.signal.aborted ? options.signal.reason : error
  }
}

/** The standard streams of the bridge, past its own first words. What it says on stderr becomes part of the error when it ends. */
class BridgeChannel implements ByteChannel {
  readonly #streams: DuplexChannel
  readonly #exit: Promise<RemoteExit>
  readonly #stderr: TailText
  readonly #closing: AbortController
  readonly #connection: Connection
  #left: Buffer = Buffer.alloc(0)
  /** The bridge only copies now. */
  #copying = false
  #heard = false

  constructor(process: RemoteProcess, closing: AbortController, connection: Connection) {
    this.#streams = new DuplexChannel(process.stdout, process.stdin)
    this.#exit = process.exit
    this.#stderr = new TailText(process.stderr)
    this.#closing = closing
    this.#connection = connection
  }

  /** @param io this channel with a limit to its waiting */
  async start(io: ByteChannel): Promise<void> {
    let word = await this.#word(io)
    if (word === 'guix') {
      await io.write(Buffer.from(bridgeProgram))
      word = await this.#word(io)
      if (word.startsWith('failed ')) throw socketUnavailable(this.#connection.machine, step, word.slice('failed '.length))
    }
    if (word !== 'ready' && word !== 'socat') throw this.#unavailable('the machine has neither socat nor guix', word)
    this.#copying = true
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#left.length > 0) {
      const left = this.#left
      this.#left = Buffer.alloc(0)
      return left
    }
    const bytes = await this.#streams.read()
    if (bytes === undefined) return this.#ended()
    this.#heard ||= this.#copying
    return bytes
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#streams.write(bytes).catch(async (error: unknown) => {
      // A bridge that ended at once refuses our first words; its own say why. Whether the refusal or its end is seen first is a matter of chance.
      if (!this.#heard) await this.#ended()
      throw this.#copying ? error : this.#unavailable('the bridge did not start', 'it reads nothing')
    })
  }

  close(): void {
    this.#streams.close()
    this.#closing.abort(new DOMException('closed', 'AbortError'))
  }

  /** The next line of the bridge's own. What was read beyond it is kept. */
  async #word(io: ByteChannel): Promise<string> {
    let text = Buffer.alloc(0)
    for (;;) {
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
        const line = text.subarray(0, end).toString('utf8')
        text = text.subarray(end + 1)
        const start = line.indexOf(bridgeMark)
        if (start === -1) continue
        this.#left = text
        return line.slice(start + bridgeMark.length).trim()
      }
      if (text.length > greetingLimit) throw this.#unavailable('the login prints more than a bridge can skip', `${text.length} bytes without its mark`)
      const more = await io.read()
      if (more === undefined) throw this.#unavailable('the bridge did not start', 'nothing')
      text = Buffer.concat([text, more])
    }
  }

  /** The bridge has ended its output: with the daemon's, or for a reason of its own. */
  async #ended(): Promise<undefined> {
    const { code } = await this.#exit
    const complaint = await this.#stderr.text()
    if (code === 0 && complaint === '') return undefined
    if (!this.#copying) throw this.#unavailable('the bridge did not start', `exit status ${code ?? 'none'}`, complaint)
    const reason = this.#heard ? undefined : unavailability(complaint)
    if (reason !== undefined) throw socketUnavailable(this.#connection.machine, step, reason)
    throw new MachineError({
      code: 'daemon-connection-lost', machine: labelOf(this.#connection.machine), step: 'talking to the daemon',
      problem: `the bridge to the daemon broke: ${complaint === '' ? `exit status ${code ?? 'none'}` : complaint}`,
    })
  }

  #unavailable(problem: string, seen: string, complaint = ''): MachineError {
    return new MachineError({
      code: 'bridge-unavailable', machine: labelOf(this.#connection.machine), step, problem,
      seen: complaint === '' ? seen : `${seen}: ${complaint}`,
      cure: 'Install socat there, or let its SSH server forward to Unix sockets (AllowStreamLocalForwarding yes)',
    })
  }
}
