/**
 * Builds a peer's bytes by hand. Shares no code with src/wire, so that a mistake there is not mirrored here, and builds what is wrong just as
 * willingly as what is right.
 */
export class WireBuilder {
  readonly #parts: Uint8Array[] = []
  #size = 0

  /** 64 bits, least significant byte first. */
  int(value: number | bigint): this {
    const bytes = new Uint8Array(8)
    for (let index = 0, rest = BigInt(value); index < 8; index += 1, rest >>= 8n) bytes[index] = Number(rest & 0xffn)
    return this.raw(bytes)
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    this.#size += bytes.length
    return this
  }

  /** Length, bytes, and zeros up to a multiple of 8. */
  str(value: string | Uint8Array, paddingByte = 0): this {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
    this.int(bytes.length).raw(bytes)
    while (this.#size % 8 !== 0) this.raw(Uint8Array.of(paddingByte))
    return this
  }

  strs(...values: (string | Uint8Array)[]): this {
    for (const value of values) this.str(value)
    return this
  }

  list(values: readonly (string | Uint8Array)[]): this {
    return this.int(values.length).strs(...values)
  }

  build(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

export const wire = (): WireBuilder => new WireBuilder()
