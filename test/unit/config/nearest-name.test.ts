import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nearestName } from '../../../src/config/nearest-name.js'

describe('the nearest name', () => {
  it.each([
    ['shs2', 'ssh2'],
    ['OpenSSH', 'openssh'],
    ['ls', 'lsh'],
    ['kubernetes', undefined],
  ])('of %s is %s', (name, nearest) => {
    expect(nearestName(name, ['lsh', 'openssh', 'ssh2'])).toBe(nearest)
  })

  it('is the name itself where it is known', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z-]{1,12}$/), { minLength: 1 }), (names) => {
      for (const name of names) expect(nearestName(name, names)).toBe(name)
    }))
  })
})
