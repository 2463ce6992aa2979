import fc from 'fast-check'
import { expect, it } from 'vitest'
import { encodeCanonical, positiveInteger, type SExpression } from '../../../plugins/transport-lsh/src/s-expression.js'

it('writes atoms with their length in bytes, and lists in parentheses', () => {
  expect(encodeCanonical(['acl', ['e', Buffer.from([0, 255])], [], 'é']).toString('latin1')).toBe('(3:acl(1:e2:\u0000\u00ff)()2:\u00c3\u00a9)')
})

/** A reader of its own, to check the writer by. */
function read(bytes: Buffer): SExpression {
  let offset = 0
  const next = (): SExpression => {
    if (bytes[offset] === 0x28) {
      const items: SExpression[] = []
      for (offset++; bytes[offset] !== 0x29;) items.push(next())
      offset++
      return items
    }
    const colon = bytes.indexOf(0x3a, offset)
    const length = Number(bytes.toString('latin1', offset, colon))
    offset = colon + 1 + length
    return bytes.subarray(colon + 1, offset)
  }
  const value = next()
  expect(offset).toBe(bytes.length)
  return value
}

it('loses nothing', () => {
  const { value } = fc.letrec<{ value: SExpression }>((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.uint8Array().map((bytes) => Buffer.from(bytes)), fc.array(tie('value'), { maxLength: 4 })),
  }))
  fc.assert(fc.property(value, (expression) => {
    expect(read(encodeCanonical(expression))).toEqual(expression)
  }))
})

it('writes integers without superfluous zeros, and never as negative ones', () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 600n }), fc.nat(3), (value, zeros) => {
    const hex = value.toString(16)
    const bytes = Buffer.concat([Buffer.alloc(zeros), Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')])
    const written = positiveInteger(bytes)
    expect(BigInt(`0x${written.toString('hex')}`)).toBe(value)
    expect((written[0] ?? 0) & 0x80).toBe(0)
    if (written.length > 1 && written[0] === 0) expect((written[1] ?? 0) & 0x80).toBe(0x80)
  }))
})
