import fc from 'fast-check'

type Mutation = (bytes: Buffer) => Buffer

const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const at = (bytes: Buffer, where: number): number => Math.floor(bytes.length * where)

const flip = fc.tuple(position, fc.integer({ min: 1, max: 255 })).map(([where, mask]): Mutation => (bytes) => {
  const changed = Buffer.from(bytes)
  changed[at(bytes, where)] = (bytes[at(bytes, where)] ?? 0) ^ mask
  return changed
})
const cut = fc.tuple(position, fc.integer({ min: 1, max: 64 })).map(([where, count]): Mutation => (bytes) =>
  Buffer.concat([bytes.subarray(0, at(bytes, where)), bytes.subarray(at(bytes, where) + count)]))
const insert = fc.tuple(position, fc.uint8Array({ minLength: 1, maxLength: 32 })).map(([where, extra]): Mutation => (bytes) =>
  Buffer.concat([bytes.subarray(0, at(bytes, where)), extra, bytes.subarray(at(bytes, where))]))
const truncate = position.map((where): Mutation => (bytes) => bytes.subarray(0, at(bytes, where)))
/** A whole aligned word, where lengths live. */
const absurdLength = fc.tuple(position, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })).map(([where, value]): Mutation => (bytes) => {
  const changed = Buffer.from(bytes)
  if (bytes.length >= 8) changed.writeBigUInt64LE(value, Math.min(at(bytes, where), bytes.length - 8) & ~7)
  return changed
})

/** Damage as it happens and as it is done. */
export const anyMutation: fc.Arbitrary<Mutation> = fc.oneof(flip, cut, insert, truncate, absurdLength)
