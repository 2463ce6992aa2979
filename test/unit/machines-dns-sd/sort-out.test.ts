import { describe, expect, it } from 'vitest'
import { hostNameOf, mergeAdverts } from '../../../plugins/machines-dns-sd/src/advert.js'
import { fingerprint, parsePublicKey } from '../../../plugins/machines-dns-sd/src/host-key.js'
import { parseKnownHosts } from '../../../plugins/machines-dns-sd/src/known-hosts.js'
import { defaults } from '../../../plugins/machines-dns-sd/src/options.js'
import type { Pins } from '../../../plugins/machines-dns-sd/src/pins.js'
import { sortOut } from '../../../plugins/machines-dns-sd/src/sort-out.js'
import { advert, newHostKey } from './records.js'

const hostKey = newHostKey()
const key = parsePublicKey(hostKey)
const pins = (text: string, fingerprints: readonly string[] = []): Pins => ({ file: '/etc/pins', knownHosts: parseKnownHosts(text), fingerprints: new Set(fingerprints), authorities: [] })
const byName = pins(`beta.local ${hostKey}`)
const byFingerprint = pins('', key === undefined ? [] : [fingerprint(key)])
const sorted = (adverts: Parameters<typeof sortOut>[0], by = byName, options = defaults) => sortOut(adverts, by, options, 2000, new Set(['10.0.0.1']))

describe('of the machines heard', () => {
  it('one that is pinned is used, as it says of itself', () => {
    const txt = [`hostkey=${hostKey}`, 'systems=x86_64-linux', 'user=offload', 'speed=2.5', 'jobs=3', 'features=kvm,big', 'threshold=none', 'compress=zlib', 'level=5', 'socket=/run/guix']
    const { machines, found } = sorted([advert({ txt, port: 22 })], byName, { ...defaults, privateKey: '/etc/key' })
    expect(machines).toEqual([{
      name: 'beta.local', address: '10.0.0.2', port: 22, systems: ['x86_64-linux'], user: 'offload', privateKey: '/etc/key', hostKey, compression: 'zlib', compressionLevel: 5, daemonSocket: '/run/guix',
      overloadThreshold: null, parallelBuilds: 3, speed: 2.5, features: ['kvm', 'big'], source: 'dns-sd', heardAt: 1000,
    }])
    expect(found).toEqual([])
  })

  it('one that is not pinned is shown with the line that would pin it', () => {
    const { machines, found } = sorted([advert({ hostKey })], pins(''))
    expect(machines).toEqual([])
    expect(found).toMatchObject([{ name: 'beta.local', standing: 'not-trusted', reason: 'nothing vouches for its host key', hostKey, heardAt: 1000, pin: { file: '/etc/pins', line: `beta.local ${hostKey}` } }])
  })

  it('one that has another key under a pinned name is left out, and the true one used, whoever was first', () => {
    const liar = advert({ hostKey: newHostKey(), addresses: ['10.0.0.66'], firstHeardAt: 1 })
    const { machines, found } = sorted([liar, advert({ hostKey })])
    expect(machines.map(({ address }) => address)).toEqual(['10.0.0.2'])
    expect(found).toMatchObject([{ address: '10.0.0.66', standing: 'not-trusted' }])
    expect(found[0]?.pin).toBeUndefined()
  })

  it('one that claims the pinned key of another under a name of its own is no machine', () => {
    const liar = advert({ hostKey, host: 'evil.local', instance: 'evil', addresses: ['10.0.0.66'] })
    expect(sorted([advert({ hostKey }), liar]).machines.map(({ name }) => name)).toEqual(['beta.local'])
    const { machines, found } = sorted([advert({ hostKey }), liar], byFingerprint)
    expect(machines.map(({ name }) => name)).toEqual(['beta.local'])
    expect(found).toMatchObject([{ name: 'evil.local', standing: 'not-trusted', reason: 'its host key is that of beta.local:22' }])
  })

  it('of two that say the same name and key, the first heard counts, and stays the first', () => {
    const copy = advert({ hostKey, addresses: ['10.0.0.66'], txt: [`hostkey=${hostKey}`, 'systems=x86_64-linux', 'speed=900'] })
    const before = [advert({ hostKey, firstHeardAt: 10 })]
    const merged = mergeAdverts([{ ...copy, firstHeardAt: 500, heardAt: 500 }, advert({ hostKey, firstHeardAt: 500, heardAt: 500 })], before)
    const { machines, found } = sorted(merged)
    expect(machines.map(({ address, speed }) => [address, speed])).toEqual([['10.0.0.2', 1]])
    expect(found).toMatchObject([{ address: '10.0.0.66', standing: 'listed-already' }])
  })

  it('this computer is none', () => {
    expect(sorted([advert({ hostKey, addresses: ['10.0.0.1'] })])).toMatchObject({ machines: [], found: [{ standing: 'unusable', reason: 'it is this computer' }] })
  })

  it('one that makes no sense is shown as such', () => {
    expect(sorted([advert({ txt: [`hostkey=${hostKey}`, 'systems=x86_64-linux', 'speed=\u001b[2J'] })])).toMatchObject({ machines: [], found: [{ standing: 'unusable', reason: 'its speed is not from 0.001 to 1000' }] })
  })

  it('one that emulates has two entries, the second slower and without kvm', () => {
    const txt = [`hostkey=${hostKey}`, 'systems=x86_64-linux', 'emulated=aarch64-linux,x86_64-linux', 'speed=2', 'features=kvm,big']
    const { machines } = sorted([advert({ txt })])
    expect(machines.map(({ systems, speed, features }) => [systems, speed, features])).toEqual([[['x86_64-linux'], 2, ['kvm', 'big']], [['aarch64-linux'], 0.2, ['big']]])
    expect(sorted([advert({ txt })], byName, { ...defaults, emulatedSpeed: 0 }).machines).toHaveLength(1)
  })
})

it.each([['Beta.Local.', 'beta.local'], ['a', 'a'], ['', undefined], ['-x.local', undefined], ['a b.local', undefined], ['a..local', undefined], [`${'a'.repeat(64)}.local`, undefined], ['b\u00e9ta.local', undefined]])('the host name %j is %j', (name, is) => {
  expect(hostNameOf(name)).toBe(is)
})
