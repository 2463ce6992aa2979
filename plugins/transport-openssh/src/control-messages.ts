/**
 * The protocol between `ssh -O …` and a control master (OpenSSH's PROTOCOL.mux, version 4): what we ask of a master we ask ourselves, which takes a
 * millisecond and no process. A message is a 32-bit length, then its type, then for all but the greeting a request number, then the fields; integers
 * are big-endian, strings have a length. Sessions are not among it: a client passes its standard streams as open files, which Node cannot, so ssh
 * itself is run for those. (Masters also offer a "proxy mode" without files; one whose client goes away after a channel was refused to it ends with
 * "no remote_id", and with it everybody's channels: 8.4 to 10.)
 */
import { uint32, wireString } from 'guix-offload-ssh-common/wire.js'

export const request = {
  hello: 1,
  check: 0x1000_0004,
  terminate: 0x1000_0005,
  openForward: 0x1000_0006,
  closeForward: 0x1000_0007,
  stopListening: 0x1000_0009,
} as const
const reply = { ok: 0x8000_0001, permissionDenied: 0x8000_0002, failure: 0x8000_0003, alive: 0x8000_0005 } as const

export const controlVersion = 4
const local = 1
/** In place of a port: the address is the path of a Unix socket (PORT_STREAMLOCAL, -2). */
const streamLocal = 0xffff_fffe
/** Replies are short. */
const longest = 64 * 1024

export type Reply =
  | { readonly kind: 'hello', readonly version: number }
  | { readonly kind: 'ok', readonly id: number }
  | { readonly kind: 'alive', readonly id: number, readonly pid: number }
  | { readonly kind: 'refused', readonly id: number, readonly reason: string }

export function encodeHello(): Buffer {
  return frame(uint32(request.hello), uint32(controlVersion))
}

export function encodeRequest(type: Exclude<(typeof request)[keyof typeof request], 1>, id: number, ...fields: readonly Buffer[]): Buffer {
  return frame(uint32(type), uint32(id), ...fields)
}

/** From a socket here to a socket there, for `openForward` and `closeForward`. */
export function socketForward(localPath: string, remotePath: string): Buffer[] {
  return [uint32(local), text(localPath), uint32(streamLocal), text(remotePath), uint32(streamLocal)]
}

/** Cuts a stream of bytes into replies. */
export class ReplyReader {
  private rest = Buffer.alloc(0)

  /** @throws Error if what comes is no reply of a control master */
  push(chunk: Buffer): Reply[] {
    this.rest = Buffer.concat([this.rest, chunk])
    const replies: Reply[] = []
    while (this.rest.length >= 4) {
      const length = this.rest.readUInt32BE(0)
      if (length > longest) throw new Error(`a message of ${length} bytes`)
      if (this.rest.length < 4 + length) break
      replies.push(decode(this.rest.subarray(4, 4 + length)))
      this.rest = this.rest.subarray(4 + length)
    }
    return replies
  }
}

function decode(body: Buffer): Reply {
  if (body.length < 8) throw new Error('a message that is too short')
  const type = body.readUInt32BE(0)
  const second = body.readUInt32BE(4)
  switch (type) {
    case request.hello:
      return { kind: 'hello', version: second }
    case reply.ok:
      return { kind: 'ok', id: second }
    case reply.alive:
      if (body.length < 12) throw new Error('a message that is too short')
      return { kind: 'alive', id: second, pid: body.readUInt32BE(8) }
    case reply.failure:
    case reply.permissionDenied:
      return { kind: 'refused', id: second, reason: body.toString('latin1', 12) }
    default:
      throw new Error(`a message of unknown type 0x${type.toString(16)}`)
  }
}

const frame = (...parts: readonly Buffer[]): Buffer => wireString(Buffer.concat(parts))
const text = (value: string): Buffer => wireString(Buffer.from(value))
