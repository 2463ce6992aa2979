import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SingleMember } from '../../../src/remote-store/single-member.js'
import { collector } from '../../support/conversations.js'
import { int, join } from '../../support/daemon-script.js'

const taken = async (bytes: Uint8Array, size: number): Promise<Buffer> => {
  const out = collector()
  const member = new SingleMember(out.onBytes)
  for (let at = 0; at < bytes.length; at += size) await member.push(bytes.subarray(at, at + size))
  member.end()
  return Buffer.from(out.text(), 'utf8')
}

describe('SingleMember', () => {
  it('is what lies between a 1 and a 0, however it is split', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.integer({ min: 1, max: 40 }), async (member, size) => {
        const bytes = Buffer.from(member)
        expect(await taken(join(int(1), bytes, int(0)), size)).toEqual(bytes)
      }),
    )
  })

  it.each([
    ['an empty bundle', int(0), 'malformed-data'],
    ['two members', join(int(1), Buffer.from('one'), int(1)), 'malformed-data'],
    ['nothing', Buffer.alloc(0), 'truncated-data'],
    ['half a frame', join(int(1), Buffer.from('one')), 'truncated-data'],
    ['text', Buffer.from('guix: what?\n'), 'malformed-data'],
  ])('is not in %s', async (_what, bytes, code) => {
    await expect((async () => taken(bytes, 1000))()).rejects.toMatchObject({ code })
  })
})
