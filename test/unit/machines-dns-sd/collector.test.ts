import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Collector, serviceName, type HeardPacket } from '../../../plugins/machines-dns-sd/src/collector.js'
import { limits } from '../../../plugins/machines-dns-sd/src/limits.js'
import { recordsOf } from './records.js'

const heard = (packets: readonly (readonly [HeardPacket, string])[]) => {
  const collector = new Collector()
  for (const [packet, sender] of packets) collector.hear(packet, sender)
  return collector.adverts(5000)
}
const hosts = (adverts: ReturnType<typeof heard>): string[] => adverts.map(({ host }) => host)

describe('what is heard', () => {
  it('becomes a machine, in whatever order and packets its records come', () => {
    const [pointer, service, text, address] = recordsOf('beta', ['systems=x86_64-linux', 'nonsense=1'])
    const collector = new Collector()
    for (const record of [text, address, pointer]) if (record !== undefined) collector.hear({ answers: [record] }, '10.0.0.2')
    expect(collector.adverts(1)).toEqual([])
    expect(collector.missing()).toEqual([{ name: `beta.${serviceName}`, type: 'SRV' }])
    expect(collector.hear({ additionals: service === undefined ? [] : [service] }, '10.0.0.2')).toBe(true)
    expect(collector.missing()).toEqual([])
    expect(collector.adverts(7)).toEqual([{ instance: 'beta', host: 'beta.local', port: 22, txt: ['systems=x86_64-linux'], addresses: ['10.0.0.2'], via: 'mdns', heardAt: 7, firstHeardAt: 7 }])
  })

  it('over IPv4 and IPv6 is one machine, link-local addresses with the zone of the sender and last', () => {
    const overV6 = recordsOf('beta', undefined, { address: 'fe80::1' }).map((record) => (record.type === 'A' ? { ...record, type: 'AAAA' } : record))
    const global = { name: 'beta.local', type: 'AAAA', ttl: 120, data: '2001:db8::5' }
    const [machine, ...others] = heard([[{ answers: [...overV6, global] }, 'fe80::1%eth0'], [{ answers: recordsOf('beta') }, '10.0.0.2']])
    expect(others).toEqual([])
    expect(machine?.addresses).toEqual(['10.0.0.2', '2001:db8::5', 'fe80::1%eth0'])
  })

  it('without an address is reached where it spoke from', () => {
    const [machine] = heard([[{ answers: recordsOf('beta').slice(0, 3) }, 'fe80::7%eth1']])
    expect(machine?.addresses).toEqual(['fe80::7%eth1'])
  })

  it('is forgotten after a goodbye of its own, not of another\'s', () => {
    const goodbye = { answers: [{ name: serviceName, type: 'PTR', ttl: 0, data: `beta.${serviceName}` }] }
    expect(hosts(heard([[{ answers: recordsOf('beta') }, '10.0.0.2'], [goodbye, '10.0.0.66']]))).toEqual(['beta.local'])
    expect(hosts(heard([[{ answers: recordsOf('beta') }, '10.0.0.2'], [goodbye, '10.0.0.2']]))).toEqual([])
  })

  it('from two that claim one name is kept apart, the words of neither mixed with the other\'s', () => {
    const adverts = heard([
      [{ answers: recordsOf('beta', ['systems=x86_64-linux', 'user=eve'], { address: '10.0.0.66' }) }, '10.0.0.66'],
      [{ answers: recordsOf('beta', ['systems=x86_64-linux', 'user=bob']) }, '10.0.0.2'],
    ])
    expect(adverts.map(({ txt, addresses }) => [txt[1], addresses])).toEqual(expect.arrayContaining([['user=eve', ['10.0.0.66']], ['user=bob', ['10.0.0.2']]]))
    expect(adverts).toHaveLength(2)
  })

  it.each([
    ['a name outside of .local', recordsOf('beta', undefined, { host: 'www.example.org' })],
    ['a host name with control characters', recordsOf('beta', undefined, { host: 'be\u001b[2Jta.local' })],
    ['a host name that looks like an option', recordsOf('beta', undefined, { host: '-oProxyCommand=x.local' })],
    ['a host name with a slash', recordsOf('beta', undefined, { host: '../../etc.local' })],
    ['port 0', recordsOf('beta', undefined, { port: 0 })],
    ['another service', recordsOf('beta').map((record) => ({ ...record, name: record.name.replace('guix-offload', 'ipp'), data: typeof record.data === 'string' ? record.data.replace('guix-offload', 'ipp') : record.data }))],
  ])('%s makes no machine', (_, answers) => {
    expect(heard([[{ answers }, '10.0.0.66']])).toEqual([])
  })

  it('keeps no address that leads nowhere, or to ourselves', () => {
    for (const address of ['127.0.0.1', '0.0.0.0', '224.0.0.251', '255.255.255.255']) expect(heard([[{ answers: recordsOf('beta', undefined, { address }) }, '10.0.0.66']])[0]?.addresses).toEqual(['10.0.0.66'])
  })

  it('never shows a control character of an instance\'s name', () => {
    const name = 'a\u001b[31m\u202eb\u0000'
    const instance = `${name}.${serviceName}`
    const answers = recordsOf('beta').map((record) => ({ ...record, name: record.name.startsWith('beta._') ? instance : record.name, data: record.type === 'PTR' ? instance : record.data }))
    expect(heard([[{ answers }, '10.0.0.2']])[0]?.instance).toBe('a\\u{1b}[31m\\u{202e}b\\u{0}')
  })

  it('of a sender that tells of thousands is bounded, and the others are heard all the same', () => {
    const flood = Array.from({ length: 3000 }, (_, index) => recordsOf(`m${index}`)).flat()
    const packets = Array.from({ length: 300 }, (_, index): [HeardPacket, string] => [{ answers: flood.slice(index * 40) }, '10.0.0.66'])
    const adverts = heard([...packets, [{ answers: recordsOf('beta') }, '10.0.0.2']])
    expect(adverts.length).toBeLessThanOrEqual(limits.machinesOfSender + 1)
    expect(hosts(adverts)).toContain('beta.local')
  })

  it('from thousands of senders is bounded as well', () => {
    const collector = new Collector()
    for (let index = 0; index < 5000; index += 1) collector.hear({ answers: recordsOf(`m${index}`) }, `10.1.${index >> 8}.${index & 255}`)
    expect(collector.full).toBe(false)
    for (let index = 0; index < 5000; index += 1) collector.hear({ answers: recordsOf(`m${index}`) }, `10.1.0.${index & 255}`)
    expect(collector.full).toBe(true)
    expect(collector.adverts(1).length).toBeLessThanOrEqual(limits.machines)
  })

  it('may be any records whatever, without an exception', () => {
    const record = fc.record({ name: fc.oneof(fc.string(), fc.constant(serviceName), fc.constant(`beta.${serviceName}`), fc.constant('beta.local')), type: fc.constantFrom('PTR', 'SRV', 'TXT', 'A', 'AAAA', 'NULL'), ttl: fc.nat(), data: fc.anything() })
    fc.assert(fc.property(fc.array(record, { maxLength: 30 }), (answers) => {
      for (const { host } of heard([[{ answers }, '10.0.0.66']])) expect(host).toMatch(/^[a-z0-9_.-]+\.local$/)
    }))
  })

  it('is decoded without a loop: packets with compressed names that point at themselves or on', () => {
    const header = Buffer.from([0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    for (const name of [[0xc0, 12], [0xc0, 14, 0xc0, 12], [1, 97, 0xc0, 12], [0xff, 0xff]]) expect(() => dnsPacket.decode(Buffer.concat([header, Buffer.from([...name, 0, 12, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12])]))).toThrow()
    const begin = performance.now()
    fc.assert(fc.property(fc.uint8Array({ maxLength: 1500 }), (bytes) => {
      try {
        dnsPacket.decode(Buffer.concat([header, bytes]))
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
    }))
    expect(performance.now() - begin).toBeLessThan(10_000)
  })
})
