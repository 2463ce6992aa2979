import { connect, type Socket } from 'node:net'
import { encodeHello, encodeRequest, ReplyReader, request, socketForward, controlVersion, type Reply } from './control-messages.js'

type Request = Parameters<typeof encodeRequest>[0]

/** How long a master may take for an answer that needs nothing of the machine. */
const answerMs = 3000
/** The same for a newcomer's greeting, who could go elsewhere. */
const greetingMs = 1000

/**
 * A connection to a control master. While one is open the master stays; when the master ends, so does the connection: that is how we hear of it.
 */
export class ControlClient {
  /** Process number of the master. */
  pid = 0
  readonly closed: Promise<void>
  private readonly waiting = new Map<number, { readonly resolve: (reply: Reply) => void, readonly reject: (error: Error) => void }>()
  private readonly reader = new ReplyReader()
  private number = 0

  private constructor(private readonly socket: Socket) {
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('error', () => undefined)
    socket.once('close', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the control master is gone'))
      this.waiting.clear()
    })
  }

  /** @throws Error if no master listens there or it does not answer */
  static async connect(path: string, limitMs = greetingMs): Promise<ControlClient> {
    const socket = connect({ path })
    const client = new ControlClient(socket)
    try {
      const hello = await client.exchange(0, encodeHello(), limitMs)
      if (hello.kind !== 'hello' || hello.version !== controlVersion) throw new Error('what listens on the control socket is not a control master we know')
      client.pid = await client.check()
      return client
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  /** @returns the master's process number */
  async check(): Promise<number> {
    const answer = await this.ask(request.check)
    if (answer.kind !== 'alive') throw new Error('the control master did not say that it is alive')
    return answer.pid
  }

  /** Has the master listen on a socket here and pass what connects on to a socket there. */
  async openForward(localPath: string, remotePath: string): Promise<void> {
    const answer = await this.ask(request.openForward, ...socketForward(localPath, remotePath))
    if (answer.kind !== 'ok') throw new Error(answer.kind === 'refused' ? answer.reason : 'the control master refused')
  }

  /** What is connected stays connected. */
  async closeForward(localPath: string, remotePath: string): Promise<void> {
    await this.ask(request.closeForward, ...socketForward(localPath, remotePath))
  }

  /** The master ends when its last client has gone; newcomers start another. */
  async stopListening(): Promise<void> {
    await this.ask(request.stopListening)
  }

  /** Ends the master with all its channels. */
  async terminate(): Promise<void> {
    await this.ask(request.terminate)
  }

  destroy(): void {
    this.socket.destroy()
  }

  private ask(type: Request, ...fields: readonly Buffer[]): Promise<Reply> {
    this.number += 1
    return this.exchange(this.number, encodeRequest(type, this.number, ...fields))
  }

  private exchange(id: number, message: Buffer, limitMs = answerMs): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('the control master is gone'))
      const timer = setTimeout(() => this.socket.destroy(new Error('no answer')), limitMs)
      const settled = <T>(action: (value: T) => void) => (value: T) => {
        clearTimeout(timer)
        this.waiting.delete(id)
        action(value)
      }
      this.waiting.set(id, { resolve: settled(resolve), reject: settled(reject) })
      this.socket.write(message)
    })
  }

  private receive(chunk: Buffer): void {
    try {
      for (const answer of this.reader.push(chunk)) this.waiting.get(answer.kind === 'hello' ? 0 : answer.id)?.resolve(answer)
    } catch (error) {
      this.socket.destroy(error instanceof Error ? error : undefined)
    }
  }
}
