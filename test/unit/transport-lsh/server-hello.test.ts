import fc from 'fast-check'
import { expect, it } from 'vitest'
import { disagreement, parseServerHello } from '../../../plugins/transport-lsh/src/server-hello.js'

const lists = ['diffie-hellman-group14-sha1', 'ssh-rsa', 'aes256-cbc,3des-cbc', 'aes256-cbc', 'hmac-sha1', 'hmac-sha1', 'none', 'none', '', '']
const kexInit = (names = lists): Buffer => {
  const payload = Buffer.concat([Buffer.from([20]), Buffer.alloc(16, 7), ...names.map((text) => {
    const bytes = Buffer.alloc(4 + text.length)
    bytes.writeUInt32BE(text.length)
    bytes.write(text, 4, 'latin1')
    return bytes
  }), Buffer.alloc(5)])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(payload.length + 1 + 6)
  head[4] = 6
  return Buffer.concat([head, payload, Buffer.alloc(6)])
}
const whole = Buffer.concat([Buffer.from('a banner\r\nSSH-2.0-lshd-2.1 lsh - a GNU ssh\r\n'), kexInit()])

it('reads banner, software and algorithms', () => {
  expect(parseServerHello(whole)).toEqual({
    text: 'a banner',
    software: 'lshd-2.1 lsh - a GNU ssh',
    algorithms: { 'key exchange method': ['diffie-hellman-group14-sha1'], 'host key algorithm': ['ssh-rsa'], 'cipher': ['aes256-cbc', '3des-cbc'], 'message authentication code': ['hmac-sha1'] },
  })
})

it('makes what can be made of any part of it, and of anything else', () => {
  fc.assert(fc.property(fc.nat(whole.length), (length) => {
    const { algorithms, software } = parseServerHello(whole.subarray(0, length))
    if (algorithms !== undefined) expect(software).toBe('lshd-2.1 lsh - a GNU ssh')
  }))
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    expect(parseServerHello(Buffer.from(bytes)).algorithms).toBeUndefined()
  }))
  expect(parseServerHello(Buffer.from('HTTP/1.1 400 Bad Request\r\nServer: x\r\n'))).toEqual({ text: 'HTTP/1.1 400 Bad Request Server: x' })
})

it('finds what lsh and the server do not have in common', () => {
  const of = (names: string[]) => {
    const { algorithms } = parseServerHello(Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), kexInit(names)]))
    if (algorithms === undefined) throw new Error('no algorithms')
    return disagreement(algorithms)
  }
  expect(of(lists)).toBeUndefined()
  expect(of(['curve25519-sha256', ...lists.slice(1)])).toMatchObject({ what: 'key exchange method', theirs: ['curve25519-sha256'] })
  expect(of([lists[0] ?? '', 'ssh-ed25519', ...lists.slice(2)])).toMatchObject({ what: 'host key algorithm', theirs: ['ssh-ed25519'] })
})
