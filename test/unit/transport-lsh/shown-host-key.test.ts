import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { KexReplyReader } from '../../../plugins/transport-lsh/src/shown-host-key.js'

/** As lsh prints a packet with --debug. */
function dump(packet: Buffer): string[] {
  const rows = Array.from({ length: Math.ceil(packet.length / 16) }, (_, row) => {
    const bytes = packet.subarray(row * 16, row * 16 + 16)
    return `${(row * 16).toString(16).padStart(8, '0')}: ${bytes.toString('hex').padEnd(32)}  ${bytes.toString('latin1').replace(/[^ -~]/g, '.')}`
  })
  return [`DEBUG: Received KEXDH_REPLY|KEXSRP_REPLY|KEX_DH_MOD_INIT lsh: (size ${packet.length} = 0x${packet.length.toString(16)})`, ...rows, '']
}

const reply = (key: Buffer, rest: Buffer): Buffer => {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(key.length)
  return Buffer.concat([Buffer.from([31]), length, key, rest])
}

it('finds the host key in the packet that lsh prints', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 0, max: 300 }), (size, more) => {
    const key = randomBytes(size)
    const reader = new KexReplyReader()
    const lines = ['DEBUG: Received KEXINIT lsh: (size 20 = 0x14)', '00000000: 14ebb1cba587fc50ad4077b17df0ec1a  .......P.@w.}...', ...dump(reply(key, randomBytes(more)))]
    const found = lines.map((line) => reader.line(line)).filter((each) => each !== undefined)
    expect(found).toEqual([key])
  }))
})

it('makes nothing of a packet that is cut short or damaged', () => {
  const lines = dump(reply(randomBytes(100), randomBytes(20)))
  const cut = new KexReplyReader()
  expect(lines.slice(0, -2).map((line) => cut.line(line)).every((each) => each === undefined)).toBe(true)
  const odd = new KexReplyReader()
  expect(dump(Buffer.from([31, 0, 0, 255, 255, 1, 2])).map((line) => odd.line(line)).every((each) => each === undefined)).toBe(true)
})
