import { describe, expect, it } from 'vitest'
import { withSettings } from '../../../src/machines/machine-settings.js'
import { machine } from './machine-fixture.js'

describe('withSettings', () => {
  it('keeps what the source has set where the configuration is silent', () => {
    const listed = machine('b1', { settings: { transport: 'lsh', legacyAlgorithms: true } })
    expect(withSettings(listed, () => ({ transport: 'ssh2' })).settings).toEqual({ transport: 'ssh2', legacyAlgorithms: true })
    expect(withSettings(listed, () => ({}))).toBe(listed)
  })
})
