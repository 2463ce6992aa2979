import type { Duplex } from 'node:stream'
import type { BuildMachine, ChannelContext, ConnectTimeouts, Connection, RemoteProcess } from 'guix-offload/plugin-api'
import type { ClientChannel, ClientCallback } from 'ssh2'
import { ChannelSocket } from './channel-streams.js'
import { channelRefused, forbidsSockets } from './channel-failure.js'
import { abortReason, type Failures } from 'guix-offload-ssh-common/failures.js'
import type { Session } from './handshake.js'
import { KeepAlive } from './keep-alive.js'
import { PromptAcks } from './prompt-acks.js'
import { quoteCommand } from 'guix-offload-ssh-common/quote.js'
import { forwardingRefused, socketRefused } from 'guix-offload-ssh-common/socket-refused.js'
import { receiveWindow, windowFor } from './receive-window.js'
import { attempt } from './ssh2-internals.js'
import { remoteProcess, type Subject } from './remote-process.js'

/** Streams to Unix sockets came with OpenSSH 6.7, and only OpenSSH has them. */
const withSocketForwarding = /^OpenSSH_(?:6\.[7-9]|[7-9]|\d\d)/

export class Ssh2Connection implements Connection {
  readonly machine: BuildMachine
  readonly roundTripMs: number
  readonly closed: Promise<Error | undefined>
  // Declared only: where it is absent there is not even an undefined member.
  declare readonly openSocket?: (path: string, context: ChannelContext) => Promise<Duplex>
  /** Of every channel that is open or being opened. */
  private readonly killers = new Set<(error: Error) => void>()
  private readonly keepAlive: KeepAlive
  private readonly promptAcks: PromptAcks | undefined
  private readonly windowSize: number
  private readonly socketGone: Promise<void>
  private end: { readonly reason: Error, readonly ours: boolean } | undefined

  constructor(
    private readonly session: Session,
    private readonly failures: Failures,
    timeouts: ConnectTimeouts,
    readonly details: Readonly<Record<string, string>>,
  ) {
    const { client, socket } = session
    this.machine = failures.machine
    this.roundTripMs = session.roundTripMs
    this.windowSize = windowFor(session.roundTripMs)
    if (withSocketForwarding.test(session.software)) this.openSocket = (path, context) => this.startSocket(path, context)
    this.promptAcks = /^(?:OpenSSH_|lshd)/.test(session.software) ? new PromptAcks(client, socket) : undefined
    this.keepAlive = new KeepAlive(socket, timeouts.keepAliveMs * timeouts.keepAliveMisses, (silentMs) => {
      this.lose(failures.connectionLost('using the connection', `nothing from the machine for ${(silentMs / 1000).toFixed(1)} s`))
    })
    this.socketGone = new Promise((resolve) => {
      if (socket.closed) resolve()
      else socket.once('close', () => resolve())
    })
    this.closed = this.socketGone.then(() => {
      this.lose(failures.connectionLost('using the connection', 'the server closed it'))
      return this.end?.ours === true ? undefined : this.end?.reason
    })
    client.on('error', (error) => this.lose(session.refusal() ?? failures.connectionLost('using the connection', error.message, error)))
    // Before ssh2 gives every channel a clean end of file.
    client.once('end', () => this.lose(failures.connectionLost('using the connection', 'the server closed it')))
    client.once('close', () => this.lose(failures.connectionLost('using the connection', 'the server closed it')))
  }

  async exec(command: readonly string[], context: ChannelContext): Promise<RemoteProcess> {
    const line = quoteCommand(command)
    // The rest may be a script of many lines.
    const step = `running ${command.slice(0, 2).join(' ')}${command.length > 2 ? ' …' : ''}`
    const others = this.killers.size
    return this.open(
      context.signal,
      step,
      (callback) => this.session.client.exec(line, callback),
      (channel, onClosed) => {
        // lshd leaves Nagle's algorithm on for ever.
        if (!this.session.software.startsWith('lshd')) this.promptAcks?.stop()
        return remoteProcess(channel, step, this.failures, receiveWindow(channel, this.windowSize), onClosed)
      },
      (error) => channelRefused(this.failures, step, others, error),
    )
  }

  async close(): Promise<void> {
    if (this.end === undefined) {
      const { client, socket, roundTripMs } = this.session
      this.finish(this.failures.connectionClosed('closing'), true)
      attempt(() => client.end())
      // A round trip for the server to close its side; one that does not must not hold us.
      const grace = setTimeout(() => socket.destroy(), 100 + 2 * roundTripMs)
      void this.socketGone.then(() => clearTimeout(grace))
    }
    await this.socketGone
  }

  private async startSocket(path: string, context: ChannelContext): Promise<Duplex> {
    const step = `opening the socket ${path}`
    const closed = (): Error => this.failures.ofMachine({ code: 'channel-closed', step, problem: 'the other side has closed it' })
    const start = (channel: ClientChannel, onClosed: () => void): Subject<Duplex> => {
      const value = new ChannelSocket(channel, receiveWindow(channel, this.windowSize), closed)
      value.once('close', onClosed)
      return { value, kill: (error) => value.destroy(error) }
    }
    return this.open(
      context.signal,
      step,
      (callback) => this.session.client.openssh_forwardOutStreamLocal(path, callback),
      start,
      (error) => (forbidsSockets(error) ? forwardingRefused(this.failures, path, error.message, error) : socketRefused(this, this.failures, path, error)),
    )
  }

  /** Opens a channel; the abort signal and the end of the connection reach it from the first moment to the last. */
  private open<T>(
    signal: AbortSignal,
    step: string,
    request: (callback: ClientCallback) => void,
    start: (channel: ClientChannel, onClosed: () => void) => Subject<T>,
    explain: (error: Error) => Error | Promise<Error>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortReason(signal))
      if (this.end !== undefined) return reject(this.end.reason)
      let kill = (error: Error): void => {
        killed = true
        release()
        reject(error)
      }
      let killed = false
      const killer = (error: Error): void => kill(error)
      const onAbort = (): void => kill(abortReason(signal))
      const release = (): void => {
        this.killers.delete(killer)
        signal.removeEventListener('abort', onAbort)
      }
      const fail = (error: Error): void => {
        if (killed) return
        release()
        Promise.resolve(explain(error)).then(reject, reject)
      }
      this.killers.add(killer)
      signal.addEventListener('abort', onAbort)
      try {
        request((error, channel) => {
          if (error !== undefined) return fail(error)
          const subject = start(channel, release)
          if (killed) return subject.kill(signal.aborted ? abortReason(signal) : this.failures.connectionLost(step))
          kill = (reason) => {
            release()
            subject.kill(reason)
          }
          resolve(subject.value)
        })
      } catch (error) {
        // ssh2 throws where the connection has just gone.
        kill(this.failures.connectionLost(step, undefined, error))
      }
    })
  }

  private lose(reason: Error): void {
    this.finish(reason, false)
    this.session.socket.destroy()
  }

  private finish(reason: Error, ours: boolean): void {
    if (this.end !== undefined) return
    this.end = { reason, ours }
    this.keepAlive.stop()
    this.promptAcks?.stop()
    for (const kill of [...this.killers]) kill(reason)
  }
}
