/** The data types of SSH (RFC 4251, 5). */

/** Reads them from a whole message. @throws RangeError where the message ends too early */
export class WireReader {
  private offset = 0

  constructor(private readonly bytes: Buffer) {}

  get rest(): number {
    return this.bytes.length - this.offset
  }

  byte(): number {
    return this.take(1)[0] ?? 0
  }

  uint32(): number {
    return this.take(4).readUInt32BE(0)
  }

  string(): Buffer {
    return this.take(this.uint32())
  }

  text(): string {
    return this.string().toString('latin1')
  }

  private take(length: number): Buffer {
    if (length > this.rest) throw new RangeError(`${length} bytes wanted, ${this.rest} left`)
    this.offset += length
    return this.bytes.subarray(this.offset - length, this.offset)
  }
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function wireString(bytes: Buffer): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes])
}
