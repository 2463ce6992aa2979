import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LineReader } from '../../../src/hook/line-reader.js'

const reader = (...chunks: string[]) => new LineReader(Readable.from(chunks.map((chunk) => Buffer.from(chunk))))

async function all(lines: LineReader, max = 1_000): Promise<string[]> {
  const found: string[] = []
  for (let line = await lines.next(max); line !== undefined; line = await lines.next(max)) found.push(line)
  return found
}

describe('LineReader', () => {
  it('finds the same lines however the bytes are split', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ''))), fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), async (lines, sizes) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
        const chunks: Buffer[] = []
        for (let offset = 0, turn = 0; offset < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1
          chunks.push(bytes.subarray(offset, offset + size))
          offset += size
        }
        expect(await all(new LineReader(Readable.from(chunks)))).toEqual(lines)
      }),
    )
  })

  it('does not take the beginning of a line for the line', async () => {
    expect(await all(reader('whole\nhal', 'f'))).toEqual(['whole'])
  })

  it('reads no further than asked', async () => {
    const chunks = ['one\n', 'two\n', 'three\n']
    let pulled = 0
    const input = new Readable({
      highWaterMark: 1,
      read() {
        pulled += 1
        this.push(chunks.shift() ?? null)
      },
    })
    const lines = new LineReader(input)
    expect(await lines.next(10)).toBe('one')
    expect(pulled).toBeLessThan(3)
  })

  it('stops at the maximum, in one piece or in many', async () => {
    expect(await reader('12345\n').next(5)).toBe('12345')
    await expect(reader('123456\n').next(5)).rejects.toMatchObject({ code: 'line-too-long' })
    await expect(reader('123', '456').next(5)).rejects.toMatchObject({ code: 'line-too-long' })
  })

  it('takes time in proportion to a line of many megabytes', async () => {
    const chunk = Buffer.from('/gnu/store/ywmqg5rmdqqgfmzpkjlzkavz2qnj5cp6-hello-2.12.1 '.repeat(20))
    const line = async (count: number) => {
      const lines = new LineReader(Readable.from([...Array.from({ length: count }, () => chunk), Buffer.from('\n')]))
      const begun = performance.now()
      expect(await lines.next(1e9)).toHaveLength(count * chunk.length)
      return performance.now() - begun
    }
    // The best of several: the machine may be busy. Quadratic would be 256 times as long.
    const best = async (count: number) => Math.min(await line(count), await line(count), await line(count))
    const [short, long] = [await best(1_000), await best(16_000)]
    expect(long).toBeLessThan(Math.max(short, 4) * 80)
  })
})
