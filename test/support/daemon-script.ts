/**
 * A guix-daemon that follows a script, over a byte channel in memory, as strict as the real one: any byte that arrives while it is not listening
 * breaks the connection. Its bytes are built here, without src/wire, so that a mistake there is not mirrored.
 */
import type { ByteChannel } from '../../src/protocol/byte-channel.js'

export function int(value: number | bigint): Buffer {
  const bytes = new DataView(new ArrayBuffer(8))
  bytes.setUint32(0, Number(BigInt(value) & 0xffff_ffffn), true)
  bytes.setUint32(4, Number(BigInt(value) >> 32n), true)
  return Buffer.from(bytes.buffer)
}

export function str(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([int(bytes.length), bytes, Buffer.alloc(Math.ceil(bytes.length / 8) * 8 - bytes.length)])
}

export const list = (values: readonly string[]): Buffer => Buffer.concat([int(values.length), ...values.map(str)])
export const join = (...parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts)

export const next = (text: string | Uint8Array): Buffer => join(int(0x6f6c6d67), str(text))
export const write = (data: string | Uint8Array): Buffer => join(int(0x64617416), str(data))
export const read = (max: number | bigint): Buffer => join(int(0x64617461), int(max))
export const last = (): Buffer => int(0x616c7473)
export const error = (text: string, status?: number): Buffer => join(int(0x63787470), str(text), status === undefined ? Buffer.alloc(0) : int(status))

export const hello = join(int(0x6e697863), int(0x163), int(0), int(0))
export const helloBack = (version = 0x164): Buffer => join(int(0x6478696f), int(version), last())

export type Step =
  /** The client must send exactly this. */
  | { readonly expect: Uint8Array }
  /** The client must send one string; `check` sees it. */
  | { readonly answer: (data: Buffer) => void }
  | { readonly send: Uint8Array }
  /** The daemon ends the connection. */
  | { readonly end: true }
  /** The connection breaks. */
  | { readonly broken: Error }

export const greeted = (version?: number): Step[] => [{ expect: hello }, { send: helloBack(version) }]

/** Cuts bytes in pieces of `size`. */
export const every =
  (size: number) =>
  (bytes: Uint8Array): Uint8Array[] => {
    const pieces: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
    return pieces
  }

export class ScriptedDaemon implements ByteChannel {
  readonly #steps: Step[]
  #pieces: Uint8Array[] = []
  #arrived = Buffer.alloc(0)
  #waiting: { resolve: () => void } | undefined
  closed = false
  /** How often the client asked for bytes. */
  reads = 0
  bytesSent = 0

  constructor(
    steps: readonly Step[],
    private readonly split: (bytes: Uint8Array) => Uint8Array[] = (bytes) => [bytes],
  ) {
    this.#steps = [...steps]
  }

  /** True once every step of the script has happened. */
  get finished(): boolean {
    return this.#steps.length === 0 && this.#pieces.length === 0
  }

  async read(): Promise<Uint8Array | undefined> {
    this.reads += 1
    for (;;) {
      if (this.closed) throw new Error('read from a closed channel')
      const piece = this.#nextPiece()
      if (piece !== undefined) {
        this.bytesSent += piece.length
        return piece
      }
      const step = this.#steps[0]
      if (step !== undefined && 'end' in step) return undefined
      if (step !== undefined && 'broken' in step) throw step.broken
      // The daemon has nothing to say until the client does.
      await new Promise<void>((resolve) => (this.#waiting = { resolve }))
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.closed) throw new Error('write to a closed channel')
    const step = this.#steps[0]
    if (this.#pieces.length > 0 || step === undefined || !('expect' in step || 'answer' in step)) {
      throw new Error('EOF expected (protocol error?): the client spoke out of turn')
    }
    this.#arrived = Buffer.concat([this.#arrived, bytes])
    if ('answer' in step) {
      if (this.#arrived.length < 8) return
      const length = this.#arrived.readUInt32LE(0)
      if (this.#arrived.length < 8 + length) return
      if (!this.#arrived.equals(str(this.#arrived.subarray(8, 8 + length)))) throw new Error('the answer is not one string')
      step.answer(this.#arrived.subarray(8, 8 + length))
    } else {
      if (this.#arrived.length < step.expect.length) return
      if (!this.#arrived.equals(step.expect))
        throw new Error(`unexpected request:\n${this.#arrived.toString('hex')}\nnot\n${Buffer.from(step.expect).toString('hex')}`)
    }
    this.#arrived = Buffer.alloc(0)
    this.#steps.shift()
    this.#wake()
  }

  /** Adds to the end of the script what the daemon sends of its own accord. */
  say(bytes: Uint8Array): void {
    this.#steps.push({ send: bytes })
    this.#wake()
  }

  close(): void {
    this.closed = true
    this.#wake()
  }

  #nextPiece(): Uint8Array | undefined {
    while (this.#pieces.length === 0) {
      const step = this.#steps[0]
      if (step === undefined || !('send' in step)) return undefined
      this.#pieces = this.split(step.send)
      this.#steps.shift()
    }
    return this.#pieces.shift()
  }

  #wake(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}
