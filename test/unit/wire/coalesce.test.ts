import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { coalesce } from '../../../src/wire/coalesce.js'

async function* stream(chunks: readonly Uint8Array[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

async function gather(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = []
  for await (const chunk of chunks) all.push(chunk)
  return all
}

describe('coalesce', () => {
  test('keeps the bytes and their order', async () => {
    const chunk = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.integer({ min: 0, max: 40_000 }).map((length) => new Uint8Array(length).fill(length)))
    await fc.assert(fc.asyncProperty(fc.array(chunk), async (chunks) => {
      const merged = await gather(coalesce(stream(chunks)))
      expect(Buffer.concat(merged).equals(Buffer.concat(chunks))).toBe(true)
      expect(merged.every((one) => one.length > 0)).toBe(true)
    }))
  })

  test('makes few chunks of many', async () => {
    const merged = await gather(coalesce(stream(Array.from({ length: 10_000 }, () => Buffer.alloc(16)))))
    expect(merged.length).toBeLessThanOrEqual(3)
  })

  test('passes large chunks on as they are', async () => {
    const large = Buffer.alloc(100_000)
    async function* one(): AsyncGenerator<Buffer> {
      yield Buffer.from('small')
      yield large
    }
    const merged = await gather(coalesce(one()))
    expect(merged).toHaveLength(2)
    expect(merged[1]).toBe(large)
  })

  test('closes its source when its consumer leaves', async () => {
    let closed = false
    async function* source(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.alloc(20_000)
      } finally {
        closed = true
      }
    }
    for await (const _ of coalesce(source())) break
    expect(closed).toBe(true)
  })
})
