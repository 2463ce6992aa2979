/**
 * A stand-in for the guix-daemon of a build machine, which no real one can be: it relays everything to the real daemon behind it, operation by operation, but
 * for what a lie takes over. It listens on a socket in the machine's file system, so a machine file names it as the daemon's socket and
 * sshd forwards to it as to any other. It runs in the test's own process: lies are functions, and what they saw is at hand.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Machine } from '../testbed/machine.js'
import { error, int, last, str, write } from './daemon-script.js'
import { HungUp, SocketBytes } from './socket-bytes.js'

/** One export that the client has asked for. */
export interface ExportAsked {
  readonly path: string
  /** What the real daemon sends for an item (the one asked for unless given): archive, trailer and signature. */
  member(path?: string): Promise<Buffer>
  /** Frames, or anything else, to the client. */
  send(...parts: readonly Uint8Array[]): Promise<void>
  /** The whole answer of a daemon in good order. */
  answer(member: Uint8Array): Promise<void>
  /** Ends the connection to the client, after what has been sent. */
  hangUp(): void
  /** Settles once the client has hung up. */
  readonly gone: Promise<void>
}

export interface Lies {
  /** Instead of the greeting's answer. */
  readonly greeting?: Uint8Array | undefined
  /** Takes over the export of outputs; derivations, with which signing is warmed up, are exported as they are. */
  readonly export?: ((asked: ExportAsked) => Promise<void>) | undefined
  /** Instead of the reply to an operation, by its number. */
  readonly replies?: Readonly<Record<number, Uint8Array>> | undefined
}

const frames = { next: 0x6f6c6d67, read: 0x64617461, write: 0x64617416, last: 0x616c7473, error: 0x63787470 }
const operation = { exportPath: 16 }

type Shape = 'string' | 'integer' | 'list' | 'pairs'
/** Arguments and reply of each operation that a client of ours uses. */
const shapes: Readonly<Record<number, { readonly arguments: readonly Shape[]; readonly reply: readonly Shape[] }>> = {
  1: { arguments: ['string'], reply: ['integer'] },
  8: { arguments: ['string', 'string', 'list'], reply: ['string'] },
  9: { arguments: ['list', 'integer'], reply: ['integer'] },
  11: { arguments: ['string'], reply: ['integer'] },
  16: { arguments: ['string', 'integer'], reply: ['integer'] },
  19: { arguments: [...Array<Shape>(9).fill('integer'), 'pairs'], reply: [] },
  26: { arguments: ['string'], reply: ['string', 'string', 'list', 'integer', 'integer'] },
  27: { arguments: [], reply: ['list'] },
  31: { arguments: ['list'], reply: ['list'] },
}

export class LyingDaemon implements AsyncDisposable {
  /** The socket's path in the machine. */
  static readonly socket = '/run/liar/socket'
  lies: Lies = {}
  /** What went wrong in the relay itself. */
  readonly failures: unknown[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(readonly machine: Machine) {
    this.#server = createServer((socket) => {
      this.#serve(socket).catch((error: unknown) => {
        if (!(error instanceof HungUp)) this.failures.push(error)
      })
    })
  }

  static async start(machine: Machine): Promise<LyingDaemon> {
    const liar = new LyingDaemon(machine)
    const path = `${machine.rootDir}${LyingDaemon.socket}`
    await mkdir(dirname(path), { recursive: true })
    await rm(path, { force: true })
    await new Promise<void>((resolve, reject) => liar.#server.once('error', reject).listen(path, resolve))
    return liar
  }

  /** Connections that clients have open now. */
  get open(): number {
    return this.#sockets.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    const client = new SocketBytes(socket)
    const daemon = new SocketBytes(createConnection(this.machine.daemon.hostSocketPath))
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    void gone.then(() => {
      this.#sockets.delete(socket)
      daemon.socket.destroy()
    })
    try {
      await daemon.send(await client.take(32))
      const greeting = await daemon.take(16)
      await client.send(this.lies.greeting ?? greeting)
      if (this.lies.greeting !== undefined) return await gone
      await relayFrames(daemon, client)
      for (;;) await this.#operation(client, daemon, gone)
    } finally {
      socket.end()
      daemon.socket.destroy()
    }
  }

  async #operation(client: SocketBytes, daemon: SocketBytes, gone: Promise<void>): Promise<void> {
    const number = await client.integer()
    const shape = shapes[number]
    if (shape === undefined) throw new Error(`operation ${number} is not known to the stand-in`)
    const given = await take(client, shape.arguments)
    const request = Buffer.concat([int(number), given])
    const lie = this.lies.export
    const path = number === operation.exportPath ? given.subarray(8, 8 + Number(given.readBigUInt64LE())).toString() : ''
    if (lie !== undefined && number === operation.exportPath && !path.endsWith('.drv')) {
      return lie({
        path,
        gone,
        member: (other = path) => exportFrom(daemon, other),
        send: async (...parts) => client.send(Buffer.concat(parts)),
        answer: async (member) => client.send(Buffer.concat([write(member), last(), int(1)])),
        hangUp: () => void client.socket.end(),
      })
    }
    await daemon.send(request)
    await relayFrames(daemon, client)
    const reply = await take(daemon, shape.reply)
    await client.send(this.lies.replies?.[number] ?? reply)
  }
}

async function take(from: SocketBytes, shapes: readonly Shape[]): Promise<Buffer> {
  const parts: Buffer[] = []
  for (const shape of shapes) {
    if (shape === 'string') parts.push((await from.string()).raw)
    if (shape === 'integer') parts.push(await from.take(8))
    if (shape === 'list' || shape === 'pairs') {
      const count = await from.take(8)
      parts.push(count)
      const strings = Number(count.readBigUInt64LE()) * (shape === 'pairs' ? 2 : 1)
      for (let index = 0; index < strings; index += 1) parts.push((await from.string()).raw)
    }
  }
  return Buffer.concat(parts)
}

/** Up to and including the frame that ends the work; answers to READ go the other way. */
async function relayFrames(daemon: SocketBytes, client: SocketBytes): Promise<void> {
  for (;;) {
    const tag = await daemon.integer()
    switch (tag) {
      case frames.next:
      case frames.write:
        await client.send(Buffer.concat([int(tag), (await daemon.string()).raw]))
        break
      case frames.read:
        await client.send(Buffer.concat([int(tag), await daemon.take(8)]))
        await daemon.send((await client.string()).raw)
        break
      case frames.last:
        return client.send(last())
      case frames.error:
        await client.send(error((await daemon.string()).bytes.toString('latin1'), await daemon.integer()))
        throw new HungUp()
      default:
        throw new Error(`frame 0x${tag.toString(16)} is not known to the stand-in`)
    }
  }
}

async function exportFrom(daemon: SocketBytes, path: string): Promise<Buffer> {
  await daemon.send(Buffer.concat([int(operation.exportPath), str(path), int(1)]))
  const pieces: Buffer[] = []
  for (let tag = await daemon.integer(); tag !== frames.last; tag = await daemon.integer()) {
    const { bytes } = await daemon.string()
    if (tag === frames.error) throw new Error(`the real daemon does not export ${path}: ${bytes.toString()}`)
    if (tag === frames.write) pieces.push(bytes)
  }
  await daemon.take(8)
  return Buffer.concat(pieces)
}
