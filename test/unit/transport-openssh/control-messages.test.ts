import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeHello, encodeRequest, ReplyReader, request, socketForward, type Reply } from '../../../plugins/transport-openssh/src/control-messages.js'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('what is sent', () => {
  it('is what ssh sends', () => {
    expect(encodeHello()).toEqual(hex('00000008 00000001 00000004'))
    expect(encodeRequest(request.check, 7)).toEqual(hex('00000008 10000004 00000007'))
    expect(encodeRequest(request.openForward, 1, ...socketForward('/a', '/bc'))).toEqual(
      hex('00000021 10000006 00000001 00000001 00000002 2f61 fffffffe 00000003 2f6263 fffffffe'),
    )
  })
})

describe('what is received', () => {
  const bytes = Buffer.concat([
    hex('00000008 00000001 00000004'),
    hex('0000000c 80000005 00000001 00001234'),
    hex('00000008 80000001 00000002'),
    hex('0000000f 80000003 00000003 00000003 6e6f21'),
  ])
  const replies: Reply[] = [{ kind: 'hello', version: 4 }, { kind: 'alive', id: 1, pid: 0x1234 }, { kind: 'ok', id: 2 }, { kind: 'refused', id: 3, reason: 'no!' }]

  it('is understood however it is cut', () => {
    fc.assert(fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
      const reader = new ReplyReader()
      const bounds = [0, ...cuts.sort((a, b) => a - b), bytes.length]
      expect(bounds.slice(1).flatMap((end, index) => reader.push(bytes.subarray(bounds[index], end)))).toEqual(replies)
    }))
  })

  it.each([
    ['too long', 'ffffffff'],
    ['too short', '00000004 80000001'],
    ['without a process number', '00000008 80000005 00000001'],
    ['of an unknown type', '00000008 80000042 00000001'],
  ])('is refused when %s', (_, text) => {
    expect(() => new ReplyReader().push(hex(text))).toThrow()
  })
})
