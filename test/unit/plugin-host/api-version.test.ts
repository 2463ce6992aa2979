import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apiObstacle } from '../../../src/plugin-host/api-version.js'

describe('the version of the API that a plugin asks for', () => {
  it.each([undefined, '1.2.3', '^1.2.3', '1', '1.2', '1.1.9', '1.2.0'])('%s will do with 1.2.3', (wanted) => {
    expect(apiObstacle(wanted, '1.2.3')).toBeUndefined()
  })

  it.each(['1.2.4', '1.3', '2', '2.0.0', '0.9.9', '^0.1.0'])('%s is lacking in 1.2.3', (wanted) => {
    expect(apiObstacle(wanted, '1.2.3')).toBe(`it asks for version ${wanted} of the plugin API, and this guix-offload has 1.2.3`)
  })

  it.each([1, null, '', '>=1', '1.x', '1.2.3-beta', {}])('%j is none', (wanted) => {
    expect(apiObstacle(wanted, '1.2.3')).toMatch(/which is none \(expected one like "1\.2\.3"\)/)
  })

  it('is met by every newer one of the same first number', () => {
    const version = fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9))
    fc.assert(fc.property(version, version, (a, b) => {
      const newer = a[0] === b[0] && (a[1] < b[1] || (a[1] === b[1] && a[2] <= b[2]))
      expect(apiObstacle(a.join('.'), b.join('.')) === undefined).toBe(newer)
    }))
  })
})
