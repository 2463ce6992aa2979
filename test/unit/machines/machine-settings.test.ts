import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchesGlob, withSettings } from '../../../src/machines/machine-settings.js'
import { machine } from './machine-fixture.js'

describe('matchesGlob', () => {
  it.each([
    ['b1.example.org', 'b*', true],
    ['b1.example.org', 'b?.example.org', true],
    ['b10.example.org', 'b?.example.org', false],
    ['B1', 'b1', true],
    ['bx1', 'b.1', false],
    ['b1', '(b1)', false],
    ['ab', 'b*', false],
  ])('%s against %s: %s', (name, pattern, expected) => {
    expect(matchesGlob(name, pattern)).toBe(expected)
  })

  it('takes every other character for itself', () => {
    fc.assert(fc.property(fc.string().filter((text) => !/[*?]/.test(text)), (text) => matchesGlob(text, text)))
  })
})

describe('withSettings', () => {
  it('lets the plain name win over globs, and later globs over earlier ones, field by field', () => {
    const settings = {
      b1: { transport: 'lsh' },
      '*': { transport: 'openssh', proxyJump: 'gate', disabled: true },
      'b*': { disabled: false, proxyJump: undefined },
    }
    expect(withSettings(machine('b1'), settings).settings).toEqual({ transport: 'lsh', proxyJump: 'gate', disabled: false })
  })

  it('keeps what the source has set where the configuration is silent', () => {
    const listed = machine('b1', { settings: { transport: 'lsh', legacyAlgorithms: true } })
    expect(withSettings(listed, { b1: { transport: 'ssh2' } }).settings).toEqual({ transport: 'ssh2', legacyAlgorithms: true })
    expect(withSettings(listed, { other: { disabled: true } })).toBe(listed)
  })
})
