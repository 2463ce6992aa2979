import { describe, expect, it } from 'vitest'
import { aclOf, parseAcl } from '../../../src/trust/acl.js'
import { parsePublicKey } from '../../../src/trust/public-key.js'
import { golden, origin } from './golden.js'

const key = (name: string): ReturnType<typeof parsePublicKey> => parsePublicKey(golden(`${name}.pub`), origin)
const text = (name: string): string => golden(`${name}.pub`).toString('latin1')

describe('the access-control list', () => {
  it('reads what guix archive --authorize wrote', () => {
    const acl = parseAcl(golden('acl'), 'acl')
    expect(acl.keys.map(({ id }) => id).sort()).toEqual([key('ecc').id, key('rsa').id].sort())
    expect(['ecc', 'rsa', 'stranger'].map((name) => acl.has(key(name)))).toEqual([true, true, false])
  })

  it('compares keys, not spellings', () => {
    const spelled = text('ecc').replace('Ed25519', '7:Ed25519').replace(/#([0-9A-F]+)#/, (_match, digits: string) => `|${Buffer.from(digits, 'hex').toString('base64')}|`)
    expect(spelled).not.toBe(text('ecc'))
    expect(parseAcl(`(acl (entry ${spelled} (tag (guix import))))`, 'acl').has(key('ecc'))).toBe(true)
  })

  it('takes only entries for imports', () => {
    const acl = parseAcl(`(acl (entry ${text('ecc')} (tag (guix publish))) (entry ${text('rsa')} (tag (guix import export))) (entry ${text('stranger')} (tag (guix import))))`, 'acl')
    expect(['ecc', 'rsa', 'stranger'].map((name) => acl.has(key(name)))).toEqual([false, false, true])
  })

  it('tolerates duplicates, several keys in an entry, unknown kinds of keys and emptiness', () => {
    const dsa = '(public-key (dsa (p #01#) (q #02#) (g #03#) (y #04#)))'
    const acl = parseAcl(`(acl (entry ${text('ecc')} ${text('rsa')} (tag (guix import))) (entry ${text('ecc')} (tag (guix import))) (entry ${dsa} (tag (guix import))))`, 'acl')
    expect(acl.keys.map(({ type }) => type)).toEqual(['ecc', 'rsa', 'other'])
    expect(acl.has(parsePublicKey(dsa, origin))).toBe(true)
    expect(parseAcl('(acl)', 'acl').keys).toEqual([])
    expect(aclOf([]).has(key('ecc'))).toBe(false)
  })

  it.each([
    ['something else', '(list)', '1:1'],
    ['an entry without tag', `(acl\n (entry (public-key (rsa (n #01#) (e #03#)))))`, '2:2'],
    ['an entry without key', '(acl\n (entry (tag (guix import))))', '2:2'],
    ['two tags', '(acl (entry (public-key (dsa)) (tag (guix import)) (tag a)))', '1:52'],
    ['something that is no key', '(acl (entry (name joe) (tag (guix import))))', '1:13'],
    ['a truncated file', '(acl (entry', '1:12'],
    ['an empty file', '', '1:1'],
  ])('refuses %s', (_name, source, position) => {
    expect(() => parseAcl(source, '/etc/guix/acl')).toThrowError(expect.objectContaining({
      code: 'malformed-acl', fault: 'configuration', report: expect.objectContaining({ subject: `/etc/guix/acl:${position}` }) as unknown,
    }))
  })
})
