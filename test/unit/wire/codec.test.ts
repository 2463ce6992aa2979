import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtocolError } from '../../../src/errors/offload-error.js'
import { Decoder } from '../../../src/wire/byte-feed.js'
import { boolean, bytes, integer, string, stringList } from '../../../src/wire/decode.js'
import { encodeBoolean, encodeInteger, encodeString, encodeStringList, padding, paddingLength } from '../../../src/wire/encode.js'
import { decodeAll, decodeBytewise, decodeEverySplit } from '../../support/decode-all.js'
import { anyMutation } from '../../support/mutate.js'
import { wire } from '../../support/wire-builder.js'

const byteStrings = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value))

describe('encoding', () => {
  test('matches the builder of the tests', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.string(), fc.array(byteStrings), (number, text, list) => {
      expect(encodeInteger(number)).toEqual(wire().int(number).build())
      expect(encodeString(text)).toEqual(wire().str(text).build())
      expect(encodeStringList(list)).toEqual(wire().list(list).build())
    }))
    expect(encodeBoolean(true)).toEqual(wire().int(1).build())
    expect(encodeBoolean(false)).toEqual(wire().int(0).build())
  })

  test.each([[0, 0], [1, 7], [7, 1], [8, 0], [9, 7], [2 ** 40 + 3, 5]])('a string of %i bytes is padded with %i zeros', (length, zeros) => {
    expect(paddingLength(length)).toBe(zeros)
    expect(padding(length)).toEqual(Buffer.alloc(zeros))
  })
})

describe('decoding', () => {
  const everything = function* (feed: Parameters<typeof integer>[0]) {
    return [yield* integer(feed), yield* boolean(feed), yield* bytes(feed, 100), yield* string(feed, 100), yield* stringList(feed, 10, 100)] as const
  }

  test('gives back what was encoded, split at every boundary', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 10 })
    const list = fc.array(fc.string({ maxLength: 9 }), { maxLength: 4 })
    fc.assert(fc.property(fc.tuple(fc.maxSafeNat(), fc.boolean(), byteStrings, text, list), (values) => {
      const [number, flag, blob, word, words] = values
      const encoded = wire().int(number).int(flag ? 1 : 0).str(blob).str(word).list(words).build()
      for (const decoded of decodeEverySplit(() => everything, encoded)) expect(decoded).toEqual(values)
      expect(decodeBytewise(everything, encoded)).toEqual(values)
    }), { numRuns: 20 })
  })

  test('only ever fails with a protocol error', () => {
    fc.assert(fc.property(anyMutation, anyMutation, (one, other) => {
      const damaged = other(one(wire().int(5).int(1).str('some bytes').str('some text').list(['a', 'list']).build()))
      try {
        decodeAll(everything, damaged)
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
      }
    }))
  })

  test.each([
    ['an integer beyond 2^53', wire().int(2n ** 53n).build()],
    ['an integer of 64 set bits', wire().int(2n ** 64n - 1n).build()],
  ])('refuses %s', (_, encoded) => {
    expect(() => decodeAll(integer, encoded)).toThrow(/out of range/)
  })

  test('takes the largest safe integer', () => {
    expect(decodeAll(integer, wire().int(Number.MAX_SAFE_INTEGER).build())).toBe(Number.MAX_SAFE_INTEGER)
  })

  test('refuses a boolean that is neither 0 nor 1', () => {
    expect(() => decodeAll(boolean, wire().int(2).build())).toThrow(/boolean out of range/)
  })

  test('takes a string of the greatest length allowed and refuses one more byte before it comes', () => {
    const limited = (feed: Parameters<typeof bytes>[0]) => bytes(feed, 9)
    expect(decodeAll(limited, wire().str('123456789').build()).toString()).toBe('123456789')
    expect(() => decodeAll(limited, wire().int(10).build())).toThrow(/length of string out of range at byte 8 \(expected at most 9, seen 10\)/)
  })

  test('refuses a list that is too long before its strings come', () => {
    expect(() => decodeAll((feed) => stringList(feed, 2, 9), wire().int(3).build())).toThrow(/count of list out of range/)
  })

  test.each([1, 2, 3, 4, 5, 6, 7])('refuses padding after %i bytes that is not zero', (length) => {
    const encoded = wire().str(Buffer.alloc(length, 1)).build()
    for (let at = 8 + length; at < encoded.length; at += 1) {
      const damaged = Buffer.from(encoded)
      damaged[at] = 1
      expect(() => decodeAll((feed) => bytes(feed, 9), damaged)).toThrow(/padding that is not zero/)
    }
  })

  test('bytes do not keep the chunk they came in', () => {
    const decoder = new Decoder('a test', (feed) => bytes(feed, 9))
    const chunk = wire().str('kept').build()
    decoder.push(chunk)
    chunk.fill(0)
    expect(decoder.end().toString()).toBe('kept')
  })
})
