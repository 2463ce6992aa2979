import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BuildMachine, ChannelContext, ConnectContext, Connection, RemoteProcess } from 'guix-offload/plugin-api'
import { SocketStream } from './channel-streams.js'
import { abortReason, type Failures } from 'guix-offload-ssh-common/failures.js'
import type { Master, MasterSetup } from './master.js'
import { quoteCommand } from 'guix-offload-ssh-common/quote.js'
import { socketRefused } from 'guix-offload-ssh-common/socket-refused.js'
import { NoChannel, startCommand, type RunningCommand } from './remote-command.js'
import { connectSocket } from './remote-socket.js'

/** Sessions are shared by all who use the master, and most last a moment. */
const patienceMs = 5000
/** A socket that ends so soon and silently may never have been opened. */
const lateRefusalMs = 5000

interface Channel<T> {
  readonly value: T
  /** Ends everything on it with this error, at once. */
  kill(error: Error): void
  readonly over: Promise<unknown>
}

/** Our share of the connection that a control master keeps. Closing ends our channels; the master stays, for the next. */
export class OpensshConnection implements Connection {
  readonly machine: BuildMachine
  readonly roundTripMs: number
  readonly details: Readonly<Record<string, string>>
  readonly closed: Promise<Error | undefined>
  /** Of every channel that is open or being opened. */
  private readonly killers = new Set<(error: Error) => void>()
  private readonly opening = new Set<Promise<unknown>>()
  private readonly running = new Set<Promise<void>>()
  private readonly failures: Failures
  private readonly openMs: number
  private readonly homeDirectory: string
  /** sshd answers without Nagle's algorithm once it has run a command; before, a refusal can wait 40 ms for our acknowledgement of something else. */
  private prompt = false
  private end: { readonly reason: Error, readonly ours: boolean } | undefined

  constructor(private readonly setup: MasterSetup, private readonly master: Master, { timeouts, homeDirectory }: ConnectContext) {
    const { control, facts } = master
    this.failures = setup.failures
    this.machine = setup.failures.machine
    this.roundTripMs = facts.roundTripMs
    this.openMs = timeouts.handshakeMs
    this.homeDirectory = homeDirectory
    const jump = this.machine.settings?.proxyJump
    this.details = { ...facts.negotiated, ...(jump === undefined ? {} : { jump }), controlSocket: setup.paths.socket, controlMaster: String(facts.pid) }
    this.closed = control.closed.then(() => {
      const seen = 'the ssh that keeps it has ended: the server closed it or has fallen silent'
      this.finish(this.failures.connectionLost('using the connection', seen), false)
      return this.end?.ours === true ? undefined : this.end?.reason
    })
  }

  async exec(command: readonly string[], context: ChannelContext): Promise<RemoteProcess> {
    const line = quoteCommand(command)
    // The rest may be a script of many lines.
    const step = `running ${command.slice(0, 2).join(' ')}${command.length > 2 ? ' …' : ''}`
    const start = async (cut: AbortSignal) => {
      const running = await this.startPatiently(line, step, cut)
      this.prompt = true
      this.running.add(running.gone)
      void running.gone.then(() => this.running.delete(running.gone))
      return { value: running.process, kill: (error: Error) => running.kill(error), over: running.process.exit }
    }
    return this.open(context.signal, start)
  }

  async openSocket(path: string, context: ChannelContext): Promise<Duplex> {
    const step = `opening the socket ${path}`
    const ended = (): Error => this.failures.ofMachine({ code: 'channel-closed', step, problem: 'the other side has closed it' })
    return this.open(context.signal, async (cut) => {
      const waitMs = 1.5 * this.roundTripMs + (this.prompt ? 10 : 60)
      const socket = await connectSocket(this.setup, this.master.control, path, waitMs, cut).catch(async (cause: unknown) => {
        throw await this.verdict() ?? this.failures.connectionLost(step, undefined, cause)
      })
      if (socket === undefined) throw await this.verdict() ?? await socketRefused(this, this.failures, path)
      const opened = performance.now()
      const refusedLate = async () => (performance.now() - opened < lateRefusalMs ? socketRefused(this, this.failures, path) : undefined)
      const value = new SocketStream(socket, () => this.verdict(), refusedLate, ended)
      return { value, kill: (error: Error) => void value.destroy(error), over: new Promise<void>((resolve) => value.once('close', resolve)) }
    })
  }

  async close(): Promise<void> {
    this.finish(this.failures.connectionClosed('closing'), true)
    // What was being opened is taken back first.
    await Promise.all([...this.opening])
    this.master.control.destroy()
    await Promise.all([this.master.control.closed, ...this.running])
  }

  /** sshd's MaxSessions counts all who share the connection. */
  private async startPatiently(line: string, step: string, cut: AbortSignal): Promise<RunningCommand> {
    const environment = { setup: this.setup, homeDirectory: this.homeDirectory, verdict: () => this.verdict() }
    const giveUp = performance.now() + patienceMs
    for (let pause = 20; ; pause *= 1.7) {
      try {
        return await startCommand(environment, line, step, this.openMs, cut)
      } catch (error) {
        const wait = pause * (0.5 + Math.random())
        if (error instanceof NoChannel && error.why === 'refused' && performance.now() + wait < giveUp && !cut.aborted) {
          await sleep(wait, undefined, { signal: cut }).catch(() => undefined)
          continue
        }
        throw await this.explain(error, step)
      }
    }
  }

  private async explain(error: unknown, step: string): Promise<unknown> {
    if (!(error instanceof NoChannel)) return error
    const lost = await this.verdict()
    if (lost !== undefined) return lost
    if (error.why === 'refused') {
      return this.failures.ofMachine({
        code: 'channel-refused', step, problem: `the server opened no further channel in ${patienceMs / 1000} s`, seen: error.message, cause: error,
        cure: 'Is sshd\'s MaxSessions (10 by default) too low? All processes share one connection',
      }, 'later')
    }
    // The next one to come shall have a fresh connection; who works over this one finds out for himself.
    if (error.why === 'late') await this.master.control.stopListening().catch(() => undefined)
    return this.failures.connectionLost(step, error.message, error)
  }

  /** Whether the master is still there; the reason if not. */
  private async verdict(): Promise<Error | undefined> {
    if (this.end !== undefined) return this.end.reason
    try {
      await this.master.control.check()
      return undefined
    } catch (error) {
      this.master.control.destroy()
      return await this.closed ?? this.failures.connectionClosed(error instanceof Error ? error.message : 'closing')
    }
  }

  /** Opens a channel; the abort signal and the end of the connection reach it from the first moment to the last. */
  private open<T>(signal: AbortSignal, start: (cut: AbortSignal) => Promise<Channel<T>>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortReason(signal))
      if (this.end !== undefined) return reject(this.end.reason)
      const cut = new AbortController()
      let killed: Error | undefined
      let kill = (error: Error): void => {
        killed = error
        cut.abort()
        reject(error)
      }
      const killer = (error: Error): void => {
        release()
        kill(error)
      }
      const onAbort = (): void => killer(abortReason(signal))
      const release = (): void => {
        this.killers.delete(killer)
        signal.removeEventListener('abort', onAbort)
      }
      this.killers.add(killer)
      signal.addEventListener('abort', onAbort)
      const started = start(cut.signal)
      const settled = started.then(() => undefined, () => undefined)
      this.opening.add(settled)
      void settled.then(() => this.opening.delete(settled))
      started.then((channel) => {
        if (killed !== undefined) return channel.kill(killed)
        kill = (error) => channel.kill(error)
        channel.over.then(release, release)
        resolve(channel.value)
      }, (error: unknown) => {
        release()
        reject(error instanceof Error ? error : new Error(String(error)))
      })
    })
  }

  private finish(reason: Error, ours: boolean): void {
    if (this.end !== undefined) return
    this.end = { reason, ours }
    for (const kill of [...this.killers]) kill(reason)
  }
}
