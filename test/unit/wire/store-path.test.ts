import { describe, expect, test } from 'vitest'
import { ProtocolError } from '../../../src/errors/offload-error.js'
import { isDerivationPath, isStorePath, parseStorePath, storePathName } from '../../../src/wire/store-path.js'

const hash = 'b9hqkv5q3idxq7sncsn2wa3zn0ig9csb'

describe('parseStorePath', () => {
  test.each(['hello-2.12', 'a', 'x+y_z?=1.drv', 'a'.repeat(217)])('takes the name %s', (name) => {
    const path = `/gnu/store/${hash}-${name}`
    expect(parseStorePath(path)).toBe(path)
    expect(isStorePath(path)).toBe(true)
  })

  test.each([
    ['elsewhere', `/nix/store/${hash}-hello`, 'it is not in /gnu/store'],
    ['the store itself', '/gnu/store', 'it is not in /gnu/store'],
    ['a sibling of the store', `/gnu/store2/${hash}-hello`, 'it is not in /gnu/store'],
    ['nothing', '', 'it is not in /gnu/store'],
    ['something inside an item', `/gnu/store/${hash}-hello/bin`, 'it names something inside a store item'],
    ['a way out', '/gnu/store/../../etc/passwd', 'it names something inside a store item'],
    ['a slash at the end', `/gnu/store/${hash}-hello/`, 'it names something inside a store item'],
    ['a short hash', `/gnu/store/${hash.slice(1)}-hello`, 'its name does not begin with 32 characters of nix-base32'],
    ['a letter that nix-base32 lacks', `/gnu/store/e${hash.slice(1)}-hello`, 'its name does not begin with 32 characters of nix-base32'],
    ['capitals in the hash', `/gnu/store/${hash.toUpperCase()}-hello`, 'its name does not begin with 32 characters of nix-base32'],
    ['no dash', `/gnu/store/${hash}hello`, 'there is no dash after the hash'],
    ['a bare hash', `/gnu/store/${hash}`, 'there is no dash after the hash'],
    ['no name', `/gnu/store/${hash}-`, 'there is no name after the hash'],
    ['a dot first', `/gnu/store/${hash}-.hello`, 'its name begins with a dot'],
    ['a space', `/gnu/store/${hash}-hel lo`, 'its name has characters other than'],
    ['a line break at the end', `/gnu/store/${hash}-hello\n`, 'its name has characters other than'],
    ['a zero byte', `/gnu/store/${hash}-hello\0`, 'its name has characters other than'],
    ['a letter beyond ASCII', `/gnu/store/${hash}-héllo`, 'its name has characters other than'],
    ['a name too long to lock', `/gnu/store/${hash}-${'a'.repeat(218)}`, 'its name is longer than 217 characters'],
  ])('refuses %s', (_, path, problem) => {
    expect(() => parseStorePath(path)).toThrow(ProtocolError)
    expect(() => parseStorePath(path)).toThrow(problem)
    expect(isStorePath(path)).toBe(false)
  })

  test('keeps to the store directory it is given', () => {
    expect(parseStorePath(`/home/me/store/${hash}-a`, '/home/me/store')).toBe(`/home/me/store/${hash}-a`)
    expect(() => parseStorePath(`/gnu/store/${hash}-a`, '/home/me/store')).toThrow('it is not in /home/me/store')
  })

  test('says in which step, and shows no control characters', () => {
    const parse = (): string => parseStorePath('/gnu/store/\u001b[2J', undefined, 'reading the hook\'s outputs')
    expect(parse).toThrow(/^reading the hook's outputs: .*seen "\/gnu\/store\/\\x1b\[2J"/)
  })
})

test('a store path knows its name and whether it is a derivation', () => {
  const path = parseStorePath(`/gnu/store/${hash}-hello-2.12.drv`)
  expect(storePathName(path)).toBe('hello-2.12.drv')
  expect(isDerivationPath(path)).toBe(true)
  expect(isDerivationPath(parseStorePath(`/gnu/store/${hash}-hello`))).toBe(false)
})
