import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fingerprint, parsePublicKey } from '../../../plugins/machines-dns-sd/src/host-key.js'
import { parseKnownHosts } from '../../../plugins/machines-dns-sd/src/known-hosts.js'
import { judge, type Claim, type Pins } from '../../../plugins/machines-dns-sd/src/pins.js'
import { certificateBy, newHostKey } from './records.js'

const key = newHostKey()
const other = newHostKey()
const now = Date.now()
const keyOf = (line: string) => {
  const parsed = parsePublicKey(line)
  if (parsed === undefined) throw new Error('no key')
  return parsed
}
const pins = (text = '', more: Partial<Pins> = {}): Pins => ({ file: '/etc/pins', knownHosts: parseKnownHosts(text), fingerprints: new Set(), authorities: [], ...more })
const claim: Claim = { name: 'beta.local', port: 22, hostKey: key }
const reason = (of: Claim, by: Pins): string => {
  const judgement = judge(of, by, now)
  return judgement.trusted ? 'trusted' : judgement.reason
}

describe('a machine that was found', () => {
  it('is not trusted by anything but a pin', () => {
    expect(judge(claim, pins(), now)).toEqual({ trusted: false, reason: 'nothing vouches for its host key', key })
    expect(reason({ ...claim, hostKey: undefined }, pins(`beta.local ${key}`))).toContain('does not say')
    expect(reason({ ...claim, hostKey: 'ssh-ed25519 AAAA' }, pins(`beta.local ${key}`))).toContain('not a whole key')
  })

  it.each([
    ['its name', `beta.local ${key}`, true], ['its name among others', `a,beta.local,c ${key} comment`, true], ['a pattern', `*.local ${key}`, true], ['another name', `gamma.local ${key}`, false],
    ['a name that is a part of its own', `beta ${key}`, false], ['a pattern that excludes it', `*.local,!beta.* ${key}`, false], ['a dot that is a dot', `beta?local ${key}`, true], ['a dot that is none', `betaxlocal ${key}`, false],
    ['another key', `beta.local ${other}`, false], ['another port', `[beta.local]:2222 ${key}`, false], ['a line that is none', `beta.local ssh-ed25519 AAAA`, false], ['a comment', `# beta.local ${key}`, false],
  ])('in a known-hosts file, under %s', (_, text, trusted) => {
    expect(judge(claim, pins(text), now).trusted).toBe(trusted)
  })

  it('on another port is another machine', () => {
    expect(judge({ ...claim, port: 2222 }, pins(`beta.local ${key}`), now).trusted).toBe(false)
    expect(judge({ ...claim, port: 2222 }, pins(`[beta.local]:2222 ${key}`), now)).toEqual({ trusted: true, key, boundToName: true })
  })

  it('is found by a hashed name', () => {
    const salt = Buffer.from('0123456789abcdefghij')
    const line = (name: string): string => `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')} ${key}`
    expect(judge(claim, pins(line('beta.local')), now).trusted).toBe(true)
    expect(judge(claim, pins(line('gamma.local')), now).trusted).toBe(false)
  })

  it('with another key than the pinned one is not offered for pinning in passing', () => {
    expect(judge(claim, pins(`\nbeta.local ${other}`), now)).toEqual({ trusted: false, reason: 'its host key is not the one pinned in /etc/pins, line 2' })
  })

  it('whose key is revoked is refused, whoever else vouches for it', () => {
    const by = pins(`@revoked * ${key}\nbeta.local ${key}`, { fingerprints: new Set([fingerprint(keyOf(key))]) })
    expect(reason(claim, by)).toBe('its host key is revoked in /etc/pins')
  })

  it('may have its fingerprint in a list', () => {
    expect(judge(claim, pins('', { fingerprints: new Set([fingerprint(keyOf(key))]) }), now)).toEqual({ trusted: true, key, boundToName: false })
    expect(judge(claim, pins('', { fingerprints: new Set([fingerprint(keyOf(other))]) }), now).trusted).toBe(false)
  })

  it('lines that make no sense are counted', () => {
    expect(parseKnownHosts(`a ${key}\nb\n@what c ${key}\n\n# d\n`).wrong).toEqual([2, 3])
  })
})

describe('a host certificate, made by ssh-keygen', () => {
  it.each(['ed25519', 'rsa', 'ecdsa'] as const)('vouches for a key if its %s authority is trusted', (type) => {
    const { hostKey, certificate, authority } = certificateBy(type, 'beta.local,other')
    const claimed = { ...claim, hostKey, certificate }
    const trusted = { trusted: true, key: hostKey, boundToName: true }
    expect(judge(claimed, pins('', { authorities: [keyOf(authority)] }), now)).toEqual(trusted)
    expect(judge({ ...claimed, hostKey: undefined }, pins('', { authorities: [keyOf(authority)] }), now)).toEqual(trusted)
    expect(judge(claimed, pins(`@cert-authority *.local ${authority}`), now)).toEqual(trusted)
    expect(reason(claimed, pins(`@cert-authority *.example.org ${authority}`))).toContain('nothing vouches')
    expect(reason(claimed, pins('', { authorities: [keyOf(other)] }))).toContain('nothing vouches')
    expect(reason(claimed, pins(`@revoked * ${authority}`, { authorities: [keyOf(authority)] }))).toContain('nothing vouches')
    // A line without the marker trusts that key as a host's, not as an authority's.
    expect(reason(claimed, pins(`*.local ${authority}`))).not.toBe('trusted')
  })

  it.each([
    ['another machine\'s', 'gamma.local', ['-h'], 'is not for beta.local'],
    ['nobody\'s in particular', '', ['-h'], 'is not for beta.local'],
    ['a user\'s', 'beta.local', [], 'is that of a user, not of a host'],
    ['an expired one', 'beta.local', ['-h', '-V', '20200101:20200201'], 'has expired'],
    ['one of the future', 'beta.local', ['-h', '-V', '+52w:+53w'], 'is not valid yet'],
  ])('counts for nothing where it is %s', (_, principals, options, says) => {
    const { hostKey, certificate, authority } = certificateBy('ed25519', principals, options)
    expect(reason({ ...claim, hostKey, certificate }, pins('', { authorities: [keyOf(authority)] }))).toBe(`its certificate ${says}`)
  })

  it('counts for nothing once a byte of it is changed, and never throws', () => {
    const { certificate, authority } = certificateBy('ed25519', 'beta.local')
    const bytes = Buffer.from(certificate, 'base64')
    const by = pins('', { authorities: [keyOf(authority)] })
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(judge({ ...claim, hostKey: undefined, certificate: changed.toString('base64') }, by, now).trusted, `byte ${at}`).toBe(false)
    }
    for (let length = 0; length < bytes.length; length += 7) expect(judge({ ...claim, hostKey: undefined, certificate: bytes.subarray(0, length).toString('base64') }, by, now).trusted).toBe(false)
  })

  it('for one key does not vouch for another', () => {
    const { certificate, authority } = certificateBy('ed25519', 'beta.local')
    expect(reason({ ...claim, certificate }, pins('', { authorities: [keyOf(authority)] }))).toContain('another key')
  })
})
