import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readOffer } from '../../../plugins/machines-dns-sd/src/offer.js'
import { knownStrings, parseTxt } from '../../../plugins/machines-dns-sd/src/txt-record.js'
import { txtStrings, type Advertisement } from '../../../src/offload/advertise/advertisement.js'
import { newHostKey } from './records.js'

describe('a TXT record', () => {
  it('knows no case in keys, takes the first of several, and leaves out what is no key (RFC 6763, section 6.4)', () => {
    const record = parseTxt(['User=bob', 'USER=eve', '=x', '', 'speed', 'jobs=', 'unknown=1', 'fea\u0001tures=a', Buffer.from('level=3')])
    expect([...record]).toEqual([['user', 'bob'], ['speed', true], ['jobs', ''], ['level', '3']])
  })

  it('keeps an equals sign in a value', () => {
    expect(parseTxt(['hostkey=ssh-rsa AA==']).get('hostkey')).toBe('ssh-rsa AA==')
  })

  it('is cut where it gets longer than a packet allows', () => {
    const many = Array.from({ length: 100 }, (_, index) => `x${index}=${'y'.repeat(200)}`)
    expect(parseTxt([...many, 'user=late']).has('user')).toBe(false)
    expect(parseTxt(['user=early', ...many]).get('user')).toBe('early')
  })

  it('never throws, whatever the bytes, and what is kept says the same', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 255 }), { maxLength: 40 }), (strings) => {
      const kept = knownStrings(strings)
      expect([...parseTxt(kept)]).toEqual([...parseTxt(strings)])
      const offer = readOffer(kept)
      if ('problem' in offer) expect(offer.problem).not.toMatch(/\p{C}/u)
    }))
  })

  it('never lets a strange value through', () => {
    const keys = fc.constantFrom('systems', 'emulated', 'user', 'speed', 'jobs', 'features', 'socket', 'threshold', 'hostkey', 'compress', 'level', 'hostcert')
    fc.assert(fc.property(keys, fc.string({ unit: 'binary', maxLength: 100 }), (key, value) => {
      const offer = readOffer(['systems=x86_64-linux', `${key}=${value}`])
      if ('problem' in offer) return
      for (const text of [...offer.systems, ...offer.emulated, ...offer.features, offer.user ?? '', offer.socket, offer.compression ?? '', offer.certificate ?? '']) expect(text).toMatch(/^[A-Za-z0-9._/@:+,=-]*$/)
      expect(offer.user ?? 'x').not.toMatch(/^-/)
      expect(offer.speed).toBeGreaterThan(0)
      expect(offer.jobs).toBeGreaterThanOrEqual(1)
    }))
  })
})

describe('an offer', () => {
  it('has Guix\'s defaults for what it does not say', () => {
    expect(readOffer(['systems=x86_64-linux'])).toMatchObject({ socket: '/var/guix/daemon-socket/socket', threshold: 0.8, speed: 1, jobs: 1, features: [], emulated: [] })
    expect(readOffer(['systems=x86_64-linux', 'threshold=none'])).toMatchObject({ threshold: null })
  })

  it.each([
    ['txtvers=2', 'version'], ['speed=1e300', 'speed'], ['speed=0', 'speed'], ['jobs=-1', 'jobs'], ['jobs=100000', 'jobs'], ['user=-oProxyCommand', 'user'], ['user=a b', 'user'],
    ['socket=../x', 'socket'], ['socket=/x\ny', 'socket'], ['hostkey=evil', 'hostkey'], ['features=a b', 'features'], ['threshold=2', 'threshold'], ['level=10', 'level'], ['compress=evil', 'compress'],
  ])('with %s makes no sense, and says which value', (string, says) => {
    const offer = readOffer(['systems=x86_64-linux', string])
    expect('problem' in offer ? offer.problem : 'fine').toContain(says)
  })

  it('must say what it builds for', () => {
    expect(readOffer([])).toEqual({ problem: 'it does not say which systems it builds for' })
  })

  it('is what the machine has advertised', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/)
    const system = fc.constantFrom('x86_64-linux', 'i686-linux', 'aarch64-linux', 'powerpc64le-linux')
    const advertisements: fc.Arbitrary<Advertisement> = fc.record({
      port: fc.integer({ min: 1, max: 65_535 }), systems: fc.uniqueArray(system, { minLength: 1 }), emulated: fc.uniqueArray(system), jobs: fc.integer({ min: 1, max: 1000 }),
      speed: fc.integer({ min: 1, max: 1000 }).map((n) => n / 4), features: fc.uniqueArray(word, { maxLength: 5 }), user: fc.option(word, { nil: undefined }),
      threshold: fc.constantFrom<Advertisement['threshold']>(undefined, 'none', 0.5), hostKey: fc.constant(newHostKey()),
      certificate: fc.option(fc.uint8Array({ minLength: 300, maxLength: 500 }).map((bytes) => Buffer.from(bytes).toString('base64')), { nil: undefined }),
    })
    fc.assert(fc.property(advertisements, (said) => {
      const strings = txtStrings(said)
      for (const each of strings) expect(Buffer.byteLength(each)).toBeLessThanOrEqual(255)
      expect(readOffer(strings)).toMatchObject({
        systems: said.systems, emulated: said.emulated, jobs: said.jobs, speed: said.speed, features: said.features, user: said.user, hostKey: said.hostKey, certificate: said.certificate,
        threshold: said.threshold === 'none' ? null : (said.threshold ?? 0.8),
      })
    }))
  })

  it('that does not fit is refused before it is sent', () => {
    const said: Advertisement = { port: 22, systems: ['x86_64-linux'], emulated: [], jobs: 1, speed: 1, features: [] }
    expect(() => txtStrings({ ...said, hostKey: `ssh-rsa ${'A'.repeat(372)}` })).toThrow(/hostkey is too long/)
    expect(() => txtStrings({ ...said, certificate: 'A'.repeat(2000) })).toThrow(/too long/)
  })
})
