/** Public keys and certificates of SSH as bytes: strings and numbers with 32-bit big-endian lengths (RFC 4251, section 5). */
import { createHash } from 'node:crypto'

export class Reader {
  #at = 0

  constructor(readonly bytes: Buffer) {}

  get offset(): number {
    return this.#at
  }

  get atEnd(): boolean {
    return this.#at === this.bytes.length
  }

  string(): Buffer {
    const length = this.uint32()
    return this.#take(length)
  }

  text(): string {
    return this.string().toString('utf8')
  }

  uint32(): number {
    return this.#take(4).readUInt32BE()
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE()
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.bytes.length) throw new RangeError('it ends too soon')
    const part = this.bytes.subarray(this.#at, end)
    this.#at = end
    return part
  }
}

/** How many strings follow the type. */
const parts: Readonly<Record<string, number>> = { 'ssh-ed25519': 1, 'ssh-rsa': 2, 'ecdsa-sha2-nistp256': 2, 'ecdsa-sha2-nistp384': 2, 'ecdsa-sha2-nistp521': 2 }

export interface PublicKey {
  readonly type: string
  readonly base64: string
  readonly blob: Buffer
}

/** A key in the form `TYPE BASE64 [COMMENT]`; undefined if it is none that is whole. */
export function parsePublicKey(line: string): PublicKey | undefined {
  const [type = '', base64 = ''] = line.trim().split(/[ \t]+/)
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  const blob = Buffer.from(base64, 'base64')
  try {
    const reader = new Reader(blob)
    if (reader.text() !== type) return undefined
    const count = parts[type]
    for (let index = 0; index < (count ?? 0); index += 1) reader.string()
    // Written out again, so that the same key has one form.
    return count !== undefined && reader.atEnd ? { type, base64: blob.toString('base64'), blob } : undefined
  } catch {
    return undefined
  }
}

/** As `ssh-keygen -l` prints it. */
export function fingerprint(key: PublicKey): string {
  return `SHA256:${createHash('sha256').update(key.blob).digest('base64').replace(/=+$/, '')}`
}
