import { edwards } from '@noble/curves/abstract/edwards.js'
import type { EdwardsPoint } from '@noble/curves/abstract/edwards.js'

/**
 * The group of edwards25519 (RFC 7748). Built from noble's generic curve: `@noble/curves/ed25519.js` would load EdDSA, hash-to-curve and more, none
 * of which is used here, and take twice as long. Import this module dynamically, when there is a signature to make or to check.
 */
const p = 2n ** 255n - 19n
/** Order of the base point, 253 bits. */
export const order = 2n ** 252n + 27742317777372353535851937790883648493n
export const orderBits = 253

const Point = edwards({
  p,
  n: order,
  h: 8n,
  a: p - 1n,
  d: 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n,
  Gx: 0x216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51an,
  Gy: 0x6666666666666666666666666666666666666666666666666666666666666658n,
})

/** The base point without noble's tables, which take as long to build as a dozen multiplications. */
const plainBase = Point.fromAffine(Point.BASE.toAffine())
const tablesPayAfter = 12
let multiplications = 0

function base(): EdwardsPoint {
  multiplications += 1
  return multiplications > tablesPayAfter ? Point.BASE : plainBase
}

export function inverse(scalar: bigint): bigint {
  return Point.Fn.inv(scalar)
}

/** Affine x of scalar·G, 0 < scalar < n, in a time that depends little on the scalar. */
export function xOfBaseMultiple(scalar: bigint): bigint {
  return base().multiply(scalar).toAffine().x
}

/** Affine x of u·G + v·Q, for public numbers below n. */
export function xOfSum(u: bigint, v: bigint, q: EdwardsPoint): bigint {
  return base().multiplyUnsafe(u).add(q.multiplyUnsafe(v)).toAffine().x
}

/**
 * Decodes a public point in one of libgcrypt's three ways: Ed25519's 32 bytes, the same after 0x40, or 0x04 with big-endian x and y. Undefined: not
 * canonical, not on the curve, or of small order (a key for which anyone can sign).
 */
export function decodePoint(bytes: Uint8Array): EdwardsPoint | undefined {
  try {
    const point = decode(Buffer.from(bytes))
    if (point === undefined || point.isSmallOrder()) return undefined
    point.assertValidity()
    return point
  } catch {
    return undefined
  }
}

function decode(bytes: Buffer): EdwardsPoint | undefined {
  if (bytes.length === 32) return Point.fromBytes(bytes)
  if (bytes.length === 33 && bytes[0] === 0x40) return Point.fromBytes(bytes.subarray(1))
  if (bytes.length !== 65 || bytes[0] !== 0x04) return undefined
  const coordinate = (from: number): bigint => BigInt(`0x${bytes.subarray(from, from + 32).toString('hex')}`)
  return Point.fromAffine({ x: coordinate(1), y: coordinate(33) })
}
