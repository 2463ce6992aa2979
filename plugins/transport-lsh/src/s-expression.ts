/**
 * Canonical s-expressions (RFC 9804, 4.2), in which lsh keeps keys and lists of trusted host keys: an atom is its length, a colon and its bytes, a list stands in
 * parentheses. Integers are big-endian with a leading zero byte where the first bit is set.
 */
export type SExpression = string | Buffer | readonly SExpression[]

export function encodeCanonical(expression: SExpression): Buffer {
  if (typeof expression === 'string') return encodeCanonical(Buffer.from(expression, 'utf8'))
  if (Buffer.isBuffer(expression)) return Buffer.concat([Buffer.from(`${expression.length}:`, 'latin1'), expression])
  return Buffer.concat([Buffer.from('('), ...expression.map(encodeCanonical), Buffer.from(')')])
}

/** A non-negative integer as SSH and lsh write it, from its big-endian bytes. */
export function positiveInteger(bytes: Buffer): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const digits = bytes.subarray(start)
  return ((digits[0] ?? 0) & 0x80) === 0 ? digits : Buffer.concat([Buffer.from([0]), digits])
}
