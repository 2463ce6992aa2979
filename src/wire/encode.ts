/**
 * Encoding of Guix's wire primitives, used alike by archives and the worker protocol: 64-bit little-endian integers; byte strings as length,
 * bytes and zero padding to a multiple of 8; lists as a count and their strings.
 */
const zeros = Buffer.alloc(8)

/** Zero bytes that follow a string of `length` bytes. */
export function paddingLength(length: number): number {
  return (8 - (length % 8)) % 8
}

export function encodeInteger(value: number | bigint): Buffer {
  const buffer = Buffer.allocUnsafe(8)
  buffer.writeBigUInt64LE(BigInt(value))
  return buffer
}

export function encodeBoolean(value: boolean): Buffer {
  return encodeInteger(value ? 1 : 0)
}

/** A JavaScript string is encoded as UTF-8. */
export function encodeString(value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  const padding = paddingLength(bytes.length)
  const buffer = Buffer.allocUnsafe(8 + bytes.length + padding)
  buffer.writeBigUInt64LE(BigInt(bytes.length), 0)
  buffer.set(bytes, 8)
  buffer.fill(0, 8 + bytes.length)
  return buffer
}

export function encodeStringList(values: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat([encodeInteger(values.length), ...values.map(encodeString)])
}

/** The padding itself, for strings whose bytes are streamed. */
export function padding(length: number): Buffer {
  return zeros.subarray(0, paddingLength(length))
}
