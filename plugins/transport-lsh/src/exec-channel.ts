/**
 * One command: a session channel on a link of its own to the gateway. From `start` on, `kill` ends it in whatever state it is; the channel is always closed in SSH's
 * own way before the link is, since lsh would leave the server's side open otherwise.
 */
import type { RemoteExit, RemoteProcess } from 'guix-offload/plugin-api'
import { InputStream, OutputStream, type InputSink } from './channel-streams.js'
import { GatewayLink } from './gateway-link.js'
import { maxMessage, message } from './messages.js'
import type { SendBudget } from './send-budget.js'
import { WireReader } from './wire-reader.js'

/** Below what lsh lets wait for us, 100 kB. */
const windowBytes = 90_000
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

export class ExecChannel implements InputSink {
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
  private unconfirmed = 0
  private asked: number | undefined
  private killed: Error | undefined
  private settleStart: { resolve(process: RemoteProcess): void, reject(error: Error): void } | undefined
  private settleExit!: { resolve(exit: RemoteExit): void, reject(error: Error): void }
  private readonly resume = (): void => this.pump()

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
      GatewayLink.open(path, (payload) => this.receive(payload), () => this.linkClosed()).then((link) => {
        this.link = link
        if (this.killed !== undefined) return this.finish()
        this.state = 'opening'
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
    this.pump()
  }

  end(): void {
    if (this.inputEnded || this.state !== 'running') return
    this.inputEnded = true
    this.writing = undefined
    this.link?.send(message.channelEof, this.remote)
  }

  /** Sends what the windows allow. */
  private pump(): void {
    while (this.writing !== undefined && this.state === 'running' && this.window > 0) {
      const { chunk, done } = this.writing
      const length = this.budget.take(Math.min(chunk.length, this.window, this.maxData))
      if (length === 0 && chunk.length > 0) return this.budget.whenFree(this.resume)
      this.link?.send(message.channelData, this.remote, chunk.subarray(0, length))
      this.window -= length
      this.unconfirmed += length
      if (this.asked === undefined) this.ask()
      this.writing = length === chunk.length ? undefined : { chunk: chunk.subarray(length), done }
      if (this.writing === undefined) done()
    }
  }

  private ask(): void {
    this.asked = this.unconfirmed
    this.link?.ask(question)
  }

  private answered(): void {
    const arrived = this.asked ?? 0
    this.asked = undefined
    this.unconfirmed -= arrived
    if (this.unconfirmed > 0) this.ask()
    this.budget.giveBack(arrived)
  }

  /** Renewed byte by byte: what we send carries the acknowledgement that the server's TCP may be waiting for before it sends more. */
  private consumed(bytes: number): void {
    if (this.state === 'running' && !this.outputEnded && bytes > 0) this.link?.send(message.channelWindowAdjust, this.remote, bytes)
  }

  private receive(payload: Buffer): void {
    const reader = new WireReader(payload)
    const type = reader.byte()
    if (type !== message.channelClose) this.events.heard()
    try {
      const channel = reader.uint32()
      if (channel === question) return type === message.channelOpenFailure ? this.answered() : undefined
      if (channel === session) this.handle(type, reader)
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
        this.window += reader.uint32()
        return this.pump()
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
    // Nothing we send any more would carry the acknowledgement that the server waits for, up to 40 ms, before it tells the command's status.
    this.link?.ask(question)
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
    this.budget.forget(this.resume)
    this.budget.giveBack(this.unconfirmed)
    this.unconfirmed = 0
    this.link?.end()
    if (this.killed === undefined) this.events.released()
  }
}
