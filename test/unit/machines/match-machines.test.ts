import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { filterByName } from '../../../src/machines/filter-by-name.js'
import { matchMachines, mismatches } from '../../../src/machines/match-machines.js'
import { machine } from './machine-fixture.js'

const wanted = { system: 'x86_64-linux', features: ['kvm', 'big-parallel'] }

describe('mismatches', () => {
  it.each([
    [{ features: ['kvm', 'big-parallel', 'other'] }, []],
    [{ features: ['big-parallel'] }, ['lacks feature kvm']],
    [{}, ['lacks features kvm and big-parallel']],
    [{ systems: ['aarch64-linux'], features: wanted.features }, ['builds for aarch64-linux only']],
    [{ systems: ['aarch64-linux', 'armhf-linux'], features: wanted.features }, ['builds for aarch64-linux and armhf-linux only']],
    [{ systems: [], features: wanted.features }, ['builds for no system']],
    [{ settings: { disabled: true }, features: ['kvm'] }, ['is disabled in the configuration', 'lacks feature big-parallel']],
  ])('%j: %j', (fields, reasons) => {
    expect(mismatches(machine('b'), { ...wanted, features: [] })).toEqual([])
    expect(mismatches(machine('b', fields), wanted)).toEqual(reasons)
  })

  it('suits exactly if the system is listed and the features are a subset', () => {
    const words = fc.subarray(['a', 'b', 'c', 'd'])
    fc.assert(
      fc.property(words, words, words, fc.constantFrom('a', 'b'), (systems, has, features, system) => {
        const one = machine('m', { systems, features: has })
        const { suited, unsuited } = matchMachines([one], { system, features })
        const expected = systems.includes(system) && features.every((feature) => has.includes(feature))
        return suited.includes(one) === expected && (unsuited[0]?.machine === one) === !expected
      }),
    )
  })
})

describe('filterByName', () => {
  const machines = ['b1', 'b20', 'gate.example.org'].map((name) => machine(name))

  it.each([
    [undefined, ['b1', 'b20', 'gate.example.org']],
    ['b', ['b1', 'b20']],
    ['^b[[:digit:]]{2}$', ['b20']],
    ['b1|gate', ['b1', 'gate.example.org']],
    ['nothing', []],
  ])('%s: %j', (expression, names) => {
    expect(filterByName(machines, expression).map(({ name }) => name)).toEqual(names)
  })

  it('refuses what is no expression', () => {
    expect(() => filterByName(machines, 'b(')).toThrow(expect.objectContaining({ code: 'invalid-regexp', fault: 'configuration' }))
  })
})
