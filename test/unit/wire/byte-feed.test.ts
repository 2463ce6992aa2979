import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteFeed, Decoder } from '../../../src/wire/byte-feed.js'
import type { Decoding } from '../../../src/wire/byte-feed.js'
import { integer, string } from '../../../src/wire/decode.js'
import { ProtocolError } from '../../../src/errors/offload-error.js'
import { wire } from '../../support/wire-builder.js'

const pieces = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 20 })

describe('ByteFeed', () => {
  test('gives back what was pushed, however it is taken', () => {
    fc.assert(fc.property(pieces, fc.infiniteStream(fc.integer({ min: 1, max: 30 })), (chunks, lengths) => {
      const feed = new ByteFeed('a test')
      for (const chunk of chunks) feed.push(chunk)
      const taken: Buffer[] = []
      for (const length of lengths) {
        if (feed.available === 0) break
        taken.push(length % 2 === 0 ? feed.take(Math.min(length, feed.available)) : feed.takeSome(length))
      }
      const whole = Buffer.concat(chunks)
      expect(Buffer.concat(taken)).toEqual(whole)
      expect(feed.offset).toBe(whole.length)
    }))
  })

  test('reports every consumed byte once, in order, to whoever listens at the time', () => {
    fc.assert(fc.property(pieces, fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 40 }), (chunks, lengths) => {
      const feed = new ByteFeed('a test')
      for (const chunk of chunks) feed.push(chunk)
      const heard: Buffer[] = []
      const expected: Buffer[] = []
      for (const [index, length] of lengths.entries()) {
        const bytes = feed.take(Math.min(length, feed.available))
        if (index % 3 === 0) feed.onConsumed = (run) => heard.push(Buffer.from(run))
        else if (index % 3 === 2) feed.onConsumed = undefined
        if (index % 3 !== 0) expected.push(bytes)
      }
      feed.onConsumed = undefined
      expect(Buffer.concat(heard).equals(Buffer.concat(expected))).toBe(true)
    }))
  })

  test('reports what is due when asked, and not again', () => {
    const feed = new ByteFeed('a test')
    const runs: string[] = []
    feed.onConsumed = (run) => runs.push(Buffer.from(run).toString())
    feed.push(Buffer.from('abcdef'))
    feed.take(1)
    feed.take(2)
    expect(runs).toEqual([])
    feed.reportConsumed()
    feed.reportConsumed()
    expect(runs).toEqual(['abc'])
    feed.take(3)
    expect(runs).toEqual(['abc', 'def'])
  })

  test('hashes what a grammar reads and nothing else', () => {
    const bytes = wire().int(1).str('signed').str('not signed').build()
    const hash = createHash('sha256')
    const decoder = new Decoder('a test', function* (feed): Decoding<void> {
      yield* integer(feed)
      feed.onConsumed = (run) => hash.update(run)
      yield* string(feed, 100)
      feed.onConsumed = undefined
      yield* string(feed, 100)
    })
    for (const byte of bytes) decoder.push(Uint8Array.of(byte))
    decoder.end()
    expect(hash.digest('hex')).toBe(createHash('sha256').update(wire().str('signed').build()).digest('hex'))
  })

  test('takes without copying where the bytes lie in one chunk', () => {
    const feed = new ByteFeed('a test')
    const chunk = Buffer.from('some bytes')
    feed.push(chunk)
    expect(feed.takeSome(4).buffer).toBe(chunk.buffer)
    expect(feed.take(3).buffer).toBe(chunk.buffer)
  })

  test('refuses to take what is not there', () => {
    const feed = new ByteFeed('a test')
    feed.push(Buffer.from('abc'))
    expect(() => feed.take(4)).toThrow(ProtocolError)
    feed.take(3)
    expect(() => feed.takeSome(1)).toThrow(ProtocolError)
  })
})

describe('Decoder', () => {
  const twoNumbers = function* (feed: ByteFeed): Decoding<number> {
    return (yield* integer(feed, 10)) + (yield* integer(feed, 10))
  }

  test('is done at the end of the grammar and leaves the rest in the feed', () => {
    const decoder = new Decoder('a test', twoNumbers)
    expect(decoder.push(wire().int(1).build())).toBe(false)
    expect(() => decoder.value).toThrow(/not complete/)
    expect(decoder.push(wire().int(2).int(3).build())).toBe(true)
    expect(decoder.value).toBe(3)
    expect(decoder.feed.available).toBe(8)
  })

  test('says where truncated data ends and how much is missing', () => {
    const decoder = new Decoder('a test', twoNumbers)
    decoder.push(wire().int(1).build())
    decoder.push(Buffer.from([1, 2, 3]))
    expect(() => decoder.end()).toThrow(/ends at byte 11 \(expected at least 5 more bytes\)/)
  })

  test('stays failed after its first error', () => {
    const decoder = new Decoder('a test', twoNumbers)
    let first: unknown
    try {
      decoder.push(wire().int(11).build())
    } catch (error) {
      first = error
    }
    expect(first).toBeInstanceOf(ProtocolError)
    let second: unknown
    try {
      decoder.push(wire().int(1).int(1).build())
    } catch (error) {
      second = error
    }
    expect(second).toBe(first)
    expect(() => decoder.end()).toThrow(ProtocolError)
  })
})
