/**
 * One command: a session channel on a link of its own to the gateway. From `start` on, `kill` ends it in whatever state it is; the channel is always closed in SSH's
 * own way before the link is, since lsh would leave the server's side open otherwise.
 */
import type { RemoteExit, RemoteProcess } from 'guix-offload/plugin-api'
import { WireReader } from 'guix-offload-ssh-common/wire.js'
import { InputStream, OutputStream, type InputSink } from './channel-streams.js'
import { GatewayLink } from './gateway-link.js'
import { maxMessage, message } from './messages.js'
import type { SendBudget, Spender } from './send-budget.js'

/** Below what lsh lets wait for us, 100 kB. */
const windowBytes = 90_000
const nudgeMs = 3
/** Our numbers on the link: the session, and the questions asked behind its data. */
const session = 0
const question = 1

export interface ChannelEvents {
  /** Something came from the server. */
  heard(): void
  /** The link is gone, though the channel was open. */
  lost(): Error
  /** The command's own end makes writing to it an error. */
  ended(): Error
  /** The server closed the channel and did not say how the command ended. */
  exitUnknown(): Error
  /** The server said no. @param error - Its reason, where a channel was refused; undefined: the command was */
  refused(error: { readonly reason: number, readonly text: string } | undefined): Error
  /** The channel needs no attention any more. */
  released(): void
}

export class ExecChannel implements InputSink, Spender {
  readonly process: RemoteProcess
  private readonly stdin = new InputStream(this)
  private readonly stdout = new OutputStream((bytes) => this.consumed(bytes))
  private readonly stderr = new OutputStream((bytes) => this.consumed(bytes))
  private link: GatewayLink | undefined
  private state: 'connecting' | 'opening' | 'requesting' | 'running' | 'closing' | 'closed' = 'connecting'
  private remote = 0
  private window = 0
  private maxData = maxMessage
  private writing: { chunk: Buffer, readonly done: () => void } | undefined
  private inputEnded = false
  private outputEnded = false
  /** Bytes of input: sent, taken by the command as the renewal of the window tells, known to have arrived. */
  private sent = 0
  private taken = 0
  private arrived = 0
  /** What had been sent when a question was. */
  private asked: number | undefined
  /** Bytes of window to be granted; negative where some were granted before their time. */
  private owed = 0
  /** What came since it was last acknowledged: something on the session, room for input. */
  private news = false
  private urgent = false
  private nudging: NodeJS.Timeout | undefined
  private killed: Error | undefined
  private settleStart: { resolve(process: RemoteProcess): void, reject(error: Error): void } | undefined
  private settleExit!: { resolve(exit: RemoteExit): void, reject(error: Error): void }

  constructor(private readonly command: string, private readonly budget: SendBudget, private readonly events: ChannelEvents) {
    const exit = new Promise<RemoteExit>((resolve, reject) => {
      this.settleExit = { resolve, reject }
    })
    exit.catch(() => undefined)
    this.process = { stdin: this.stdin, stdout: this.stdout, stderr: this.stderr, exit }
  }

  /** @param path - Of the gateway's socket. */
  start(path: string): Promise<RemoteProcess> {
    return new Promise((resolve, reject) => {
      this.settleStart = { resolve, reject }
      const events = { message: (payload: Buffer) => this.receive(payload), unanswered: () => this.acknowledge(), closed: () => this.linkClosed() }
      GatewayLink.open(path, events).then((link) => {
        this.link = link
        if (this.killed !== undefined) return this.finish()
        this.state = 'opening'
        this.budget.join(this)
        link.send(message.channelOpen, 'session', session, windowBytes, maxMessage)
      }, () => this.linkClosed())
    })
  }

  /** Ends everything on it with this error, at once. */
  kill(error: Error): void {
    if (this.killed !== undefined || this.state === 'closed') return
    this.killed = error
    this.fail(error)
    if (this.state === 'requesting' || this.state === 'running') {
      this.link?.send(message.channelRequest, this.remote, 'signal', false, 'TERM')
      this.close()
    }
    this.events.released()
  }

  write(chunk: Buffer, done: () => void): void {
    this.writing = { chunk, done }
    this.resume()
  }

  end(): void {
    if (this.inputEnded || this.state !== 'running') return
    this.inputEnded = true
    this.writing = undefined
    this.link?.send(message.channelEof, this.remote)
  }

  /** Sends what the windows allow. */
  resume(): void {
    while (this.writing !== undefined && this.state === 'running' && this.window > 0) {
      const { chunk, done } = this.writing
      const length = this.budget.take(Math.min(chunk.length, this.window, this.maxData))
      if (length === 0 && chunk.length > 0) return
      this.link?.send(message.channelData, this.remote, chunk.subarray(0, length))
      this.window -= length
      this.sent += length
      this.writing = length === chunk.length ? undefined : { chunk: chunk.subarray(length), done }
      if (this.writing === undefined) done()
    }
  }

  account(): void {
    if (this.asked !== undefined || this.sent === this.arrived) return
    this.asked = this.sent
    this.link?.ask(question)
  }

  private hasArrived(bytes: number): void {
    const news = bytes - this.arrived
    if (news <= 0) return
    this.arrived = bytes
    this.budget.giveBack(news)
  }

  /** Renewed in large steps: a small message of ours that needs no answer holds up the next one, see `acknowledge`. */
  private consumed(bytes: number): void {
    this.owed += bytes
    if (this.owed < windowBytes / 3 || this.state !== 'running' || this.outputEnded) return
    this.link?.send(message.channelWindowAdjust, this.remote, this.owed)
    this.owed = 0
  }

  /**
   * lsh and lshd leave Nagle's algorithm on: the next small packet waits until the last one is acknowledged, which a kernel puts off for 40 ms unless something goes
   * back. So something does: a byte of window ahead of time, or, once the window is of no use any more, a question. At once after the server has taken input, since
   * its answer will follow; otherwise after a moment in which the user of the stream may have something to send.
   */
  private acknowledge(): void {
    if (!this.news) return
    this.news = false
    clearTimeout(this.nudging)
    if (this.urgent) return this.nudge()
    const before = this.link?.sent
    this.nudging = setTimeout(() => this.link?.sent === before ? this.nudge() : undefined, nudgeMs)
  }

  private nudge(): void {
    this.urgent = false
    if (this.state !== 'requesting' && this.state !== 'running') return
    if (this.outputEnded) return this.link?.ask(question)
    this.owed--
    this.link?.send(message.channelWindowAdjust, this.remote, 1)
  }

  private receive(payload: Buffer): void {
    const reader = new WireReader(payload)
    const type = reader.byte()
    if (type !== message.channelClose) this.events.heard()
    try {
      const channel = reader.uint32()
      if (channel === question) {
        if (this.asked !== undefined) this.hasArrived(this.asked)
        this.asked = undefined
        return
      }
      if (channel !== session) return
      this.news = true
      this.handle(type, reader)
    } catch {
      // Cut short: whatever speaks there is no lsh.
      this.link?.end()
    }
  }

  private handle(type: number, reader: WireReader): void {
    switch (type) {
      case message.channelOpenConfirmation:
        this.remote = reader.uint32()
        this.window = reader.uint32()
        this.maxData = Math.min(reader.uint32(), maxMessage - 64)
        this.state = 'requesting'
        if (this.killed !== undefined) return this.close()
        return this.link?.send(message.channelRequest, this.remote, 'exec', true, this.command)
      case message.channelOpenFailure:
        return this.refuse({ reason: reader.uint32(), text: reader.text() })
      case message.channelSuccess:
        if (this.state !== 'requesting') return
        this.state = 'running'
        return this.settleStart?.resolve(this.process)
      case message.channelFailure:
        return this.state === 'requesting' ? this.refuse(undefined) : undefined
      case message.channelWindowAdjust:
        return this.windowGrows(reader.uint32())
      case message.channelData:
        return this.stdout.receive(reader.string())
      case message.channelExtendedData:
        return reader.uint32() === 1 ? this.stderr.receive(reader.string()) : this.consumed(reader.string().length)
      case message.channelEof:
        return this.finishOutput()
      case message.channelRequest:
        return this.handleRequest(reader)
      case message.channelClose:
        return this.closedByServer()
    }
  }

  /** Before any input has been sent that opens the window, afterwards it tells that so much has been taken. */
  private windowGrows(bytes: number): void {
    this.window += bytes
    this.urgent = true
    if (this.sent > 0) this.taken += bytes
    this.hasArrived(Math.min(this.sent, this.taken))
    this.resume()
  }

  private handleRequest(reader: WireReader): void {
    const name = reader.text()
    reader.byte()
    if (name !== 'exit-status' && name !== 'exit-signal') return
    this.settleExit.resolve(name === 'exit-status' ? { code: reader.uint32(), signal: null } : { code: null, signal: reader.text().replace(/^SIG/, '') })
    this.stdin.refuse(this.events.ended())
  }

  private finishOutput(): void {
    if (this.outputEnded) return
    this.outputEnded = true
    this.stdout.finish()
    this.stderr.finish()
  }

  private refuse(error: Parameters<ChannelEvents['refused']>[0]): void {
    const reason = this.events.refused(error)
    this.fail(reason)
    if (error === undefined) this.close()
    else this.finish()
  }

  private closedByServer(): void {
    this.finishOutput()
    this.settleExit.reject(this.events.exitUnknown())
    this.stdin.refuse(this.events.ended())
    if (this.state !== 'closing') this.link?.send(message.channelClose, this.remote)
    this.finish()
  }

  private close(): void {
    this.state = 'closing'
    this.link?.send(message.channelClose, this.remote)
  }

  private fail(error: Error): void {
    this.settleStart?.reject(error)
    this.settleExit.reject(error)
    this.stdin.refuse(error)
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream.destroy(error)
  }

  private linkClosed(): void {
    if (this.state === 'closed') return
    const error = this.killed ?? this.events.lost()
    this.fail(error)
    this.finish()
  }

  private finish(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.writing = undefined
    clearTimeout(this.nudging)
    this.budget.leave(this, this.sent - this.arrived)
    this.arrived = this.sent
    this.link?.end()
    if (this.killed === undefined) this.events.released()
  }
}
