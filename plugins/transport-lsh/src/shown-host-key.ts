/**
 * Which host key a machine shows. lsh only says that it does not trust it; with all its debugging messages it prints the packet that holds the key (KEXDH_REPLY, RFC 4253,
 * 8), in lines of an offset and 16 bytes in hexadecimal. So it is run once more, for the error message alone, and ended as soon as that packet is complete.
 */
import { WireReader } from 'guix-offload-ssh-common/wire.js'
import { LshProcess, type LshOptions } from './lsh-process.js'

const kexReply = 31

/** Puts the packet together from lines. */
export class KexReplyReader {
  private parts: Buffer[] | undefined
  private size = 0

  /** @returns the host key, once it is there. */
  line(line: string): Buffer | undefined {
    const begin = /^DEBUG: Received KEXDH_REPLY\S* .*\(size (\d+)/.exec(line)
    if (begin !== null) {
      this.parts = []
      this.size = Number(begin[1])
      return undefined
    }
    if (this.parts === undefined) return undefined
    const bytes = /^[0-9a-f]{8}: ((?:[0-9a-f]{2}){1,16})\b/.exec(line)
    if (bytes === null) return undefined
    this.parts.push(Buffer.from(bytes[1] ?? '', 'hex'))
    const packet = Buffer.concat(this.parts)
    if (packet.length < this.size) return undefined
    this.parts = undefined
    try {
      const reader = new WireReader(packet)
      return reader.byte() === kexReply ? reader.string() : undefined
    } catch {
      return undefined
    }
  }
}

/** @returns undefined if it does not tell within the time. */
export async function shownHostKey(options: LshOptions, withinMs: number): Promise<Buffer | undefined> {
  const reader = new KexReplyReader()
  let key: Buffer | undefined
  // Without the private key: if the machine now shows the pinned host key, it gets no further.
  const process = new LshProcess({ ...options, identity: Buffer.alloc(0), messages: 'debug' }, (line) => {
    key ??= reader.line(line)
    if (key !== undefined) process.kill()
  })
  const timer = setTimeout(() => process.kill(), withinMs)
  await process.ended
  clearTimeout(timer)
  return key
}
