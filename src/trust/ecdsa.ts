import { createHmac } from 'node:crypto'
import { decodePoint, inverse, order, orderBits, xOfBaseMultiple, xOfSum } from './edwards-curve.js'

/**
 * ECDSA (FIPS 186-5, 6.4) over edwards25519, as libgcrypt does it for Guix: not EdDSA. The hash is cut to the bits of the order (253: shifted right by
 * 3 for SHA-256), r is the affine x of a point modulo n, and the nonce is that of RFC 6979 with HMAC-SHA-256, so that signatures are reproducible.
 *
 * Loads the curve: import dynamically.
 */
export interface EcdsaValue {
  readonly r: bigint
  readonly s: bigint
}

const scalarLength = 32

/** Public numbers only; constant time is no aim. */
export function verifyEcdsa(q: Uint8Array, hash: Buffer, { r, s }: EcdsaValue): boolean {
  if (r <= 0n || r >= order || s <= 0n || s >= order) return false
  const point = decodePoint(q)
  if (point === undefined) return false
  const w = inverse(s)
  return xOfSum((leftmostBits(hash) * w) % order, (r * w) % order, point) % order === r
}

/** `d` is taken as it is: libgcrypt's secrets are multiples of 8 above n, and the nonce depends on the bytes before reduction. */
export function signEcdsa(d: Buffer, hash: Buffer): EcdsaValue {
  const secret = toBigInt(d) % order
  const candidates = nonces(d, hash)
  for (;;) {
    const k = candidates.next().value
    const r = xOfBaseMultiple(k) % order
    const s = (inverse(k) * ((leftmostBits(hash) + r * secret) % order)) % order
    if (r !== 0n && s !== 0n) return { r, s }
  }
}

/** RFC 6979, 3.2, steps b to h: an endless row of candidates, of which the first is used in practice always. */
function* nonces(d: Buffer, hash: Buffer): Generator<bigint, never, void> {
  const hmac = (key: Buffer, ...parts: readonly Buffer[]): Buffer => createHmac('sha256', key).update(Buffer.concat(parts)).digest()
  const seed = Buffer.concat([Buffer.alloc(scalarLength - d.length), d, toBytes(leftmostBits(hash) % order)])
  let v: Buffer = Buffer.alloc(32, 1)
  let key: Buffer = Buffer.alloc(32, 0)
  for (const step of [0, 1]) {
    key = hmac(key, v, Buffer.of(step), seed)
    v = hmac(key, v)
  }
  for (;;) {
    v = hmac(key, v)
    const k = leftmostBits(v)
    if (k > 0n && k < order) yield k
    key = hmac(key, v, Buffer.of(0))
    v = hmac(key, v)
  }
}

/** The leftmost bits of a string, as many as the order has, as a number. */
function leftmostBits(bytes: Buffer): bigint {
  const excess = BigInt(Math.max(0, bytes.length * 8 - orderBits))
  return toBigInt(bytes) >> excess
}

export function toBigInt(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`)
}

function toBytes(number: bigint): Buffer {
  return Buffer.from(number.toString(16).padStart(scalarLength * 2, '0'), 'hex')
}
