import type { BuildMachine, ChannelContext, ConnectTimeouts, Connection, OffloadFailure, RemoteProcess } from 'guix-offload/plugin-api'
import { ExecChannel } from './exec-channel.js'
import { abortReason, type Failures } from 'guix-offload-ssh-common/failures.js'
import { KeepAlive } from './keep-alive.js'
import { quoteCommand } from 'guix-offload-ssh-common/quote.js'
import { SendBudget } from './send-budget.js'
import type { Session } from './login.js'

/** Sockets on the machine cannot be reached with lsh, so there is no `openSocket`. */
export class LshConnection implements Connection {
  readonly machine: BuildMachine
  readonly roundTripMs: number
  readonly closed: Promise<Error | undefined>
  /** Of every channel that is open or being opened. */
  private readonly killers = new Set<(error: Error) => void>()
  private readonly budget = new SendBudget()
  private readonly keepAlive: KeepAlive
  private end: { readonly reason: Error, readonly ours: boolean } | undefined

  constructor(
    private readonly session: Session,
    private readonly failures: Failures,
    { keepAliveMs, keepAliveMisses }: ConnectTimeouts,
    readonly details: Readonly<Record<string, string>>,
  ) {
    this.machine = failures.machine
    this.roundTripMs = session.roundTripMs
    this.keepAlive = new KeepAlive(keepAliveMs, keepAliveMisses, () => session.pulse.ask(), (silentMs) => {
      this.lose(failures.connectionLost('using the connection', `nothing from the machine for ${(silentMs / 1000).toFixed(1)} s`))
    })
    session.pulse.onAnswer = this.keepAlive.heard
    session.pulse.onClose = () => this.lose(this.gone())
    this.closed = session.process.ended.then(async () => {
      this.lose(this.gone())
      await session.folder.remove().catch(() => undefined)
      return this.end?.ours === true ? undefined : this.end?.reason
    })
  }

  async exec(command: readonly string[], { signal }: ChannelContext): Promise<RemoteProcess> {
    // In place of the shell: lshd ends the process it has started, when a channel is closed, and that is to be the command.
    const line = `${command[0] === 'exec' ? '' : 'exec '}${quoteCommand(command)}`
    // The rest may be a script of many lines.
    const step = `running ${command.slice(0, 2).join(' ')}${command.length > 2 ? ' …' : ''}`
    if (signal.aborted) throw abortReason(signal)
    if (this.end !== undefined) throw this.end.reason
    const others = this.killers.size
    const kill = (error: Error): void => channel.kill(error)
    const onAbort = (): void => kill(abortReason(signal))
    const channel: ExecChannel = new ExecChannel(line, this.budget, {
      heard: this.keepAlive.heard,
      lost: () => {
        this.lose(this.gone())
        return this.end?.reason ?? this.gone()
      },
      ended: () => this.failures.ofMachine({ code: 'channel-closed', step, problem: 'the command has ended and reads no more input' }),
      exitUnknown: () => this.failures.ofMachine({
        code: 'exit-unknown',
        step,
        problem: 'the server closed the channel without saying how the command ended',
        cure: 'Was the command\'s session ended on the machine? Its log may tell',
      }),
      refused: (reason) => this.refused(step, others, reason),
      released: () => {
        this.killers.delete(kill)
        signal.removeEventListener('abort', onAbort)
      },
    })
    this.killers.add(kill)
    signal.addEventListener('abort', onAbort)
    return channel.start(this.session.folder.gateway)
  }

  async close(): Promise<void> {
    this.finish(this.failures.connectionClosed('closing'), true)
    this.session.process.kill()
    await this.closed
  }

  private refused(step: string, others: number, reason: { readonly reason: number, readonly text: string } | undefined): OffloadFailure {
    if (reason === undefined) {
      return this.failures.ofMachine({
        code: 'channel-refused',
        step,
        problem: 'the server refused to run the command',
        cure: `Does the account ${this.machine.user} have a working shell?`,
      })
    }
    return this.failures.ofMachine({
      code: 'channel-refused',
      step,
      problem: 'the server opened no further channel',
      seen: `reason ${reason.reason}; ${others} open`,
    }, others > 0 ? 'later' : undefined)
  }

  private gone(): OffloadFailure {
    return this.failures.connectionLost('using the connection', this.session.progress.remark ?? 'the server closed it')
  }

  private lose(reason: Error): void {
    this.finish(reason, false)
    this.session.process.kill()
  }

  private finish(reason: Error, ours: boolean): void {
    if (this.end !== undefined) return
    this.end = { reason, ours }
    this.keepAlive.stop()
    this.session.pulse.stop()
    for (const kill of [...this.killers]) kill(reason)
  }
}
