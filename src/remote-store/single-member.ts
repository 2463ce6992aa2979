import { ProtocolError } from '../errors/offload-error.js'
import type { Consumer } from '../protocol/consumer.js'

/**
 * Takes the one member out of a bundle of one, as `guix archive --export ITEM` writes it: the integer 1, the member, the integer 0. Only the frame is looked at here; the
 * member is for whoever consumes it. Holds back as many bytes as the closing 0 has.
 */
export class SingleMember {
  readonly #onData: Consumer
  #begun = false
  #held = Buffer.alloc(0)

  constructor(onData: Consumer) {
    this.#onData = onData
  }

  push(bytes: Uint8Array): void | Promise<void> {
    let text = Buffer.concat([this.#held, bytes])
    if (!this.#begun && text.length >= integerLength) {
      if (text.readBigUInt64LE(0) !== 1n) throw notOneMember(text.subarray(0, integerLength))
      this.#begun = true
      text = text.subarray(integerLength)
    }
    const ready = this.#begun ? Math.max(0, text.length - integerLength) : 0
    this.#held = text.subarray(ready)
    return ready === 0 ? undefined : this.#onData(text.subarray(0, ready))
  }

  /** @throws ProtocolError `truncated-data`, `malformed-data` */
  end(): void {
    if (!this.#begun || this.#held.length < integerLength) {
      throw new ProtocolError({ code: 'truncated-data', step: 'reading an archive', problem: 'guix archive ended in the middle of one' })
    }
    if (this.#held.readBigUInt64LE(0) !== 0n) throw notOneMember(this.#held)
  }
}

const integerLength = 8

function notOneMember(seen: Buffer): ProtocolError {
  return new ProtocolError({
    code: 'malformed-data', step: 'reading an archive', problem: 'this is no bundle of one item', expected: 'the integers 1 before it and 0 after it', seen: seen.toString('hex'),
  })
}
