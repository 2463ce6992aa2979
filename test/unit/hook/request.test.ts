import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parsePaths, parseRequest } from '../../../src/hook/request.js'

const derivation = '/gnu/store/ywmqg5rmdqqgfmzpkjlzkavz2qnj5cp6-hello-2.12.1.drv'

describe('parseRequest', () => {
  it('reads what guix-daemon writes', () => {
    expect(parseRequest(`0 x86_64-linux ${derivation} kvm,big-parallel`)).toEqual({ derivation, system: 'x86_64-linux', features: ['kvm', 'big-parallel'], wantsLocal: false })
    expect(parseRequest(`1 i586-gnu ${derivation} `)).toEqual({ derivation, system: 'i586-gnu', features: [], wantsLocal: true })
  })

  it.each([
    '',
    `2 x86_64-linux ${derivation} `,
    `0 x86_64-linux ${derivation}`,
    `0  x86_64-linux ${derivation} `,
    `0 x86_64-linux gnu/store/x.drv `,
    `0 x86_64-linux /gnu/store/x `,
    `0 x86_64-linux ${derivation} kvm big`,
    `0 x86_64-linux ${derivation} kvm\r`,
    ` 0 x86_64-linux ${derivation} `,
    `0 X86 ${derivation} `,
  ])('refuses %j', (line) => {
    expect(() => parseRequest(line)).toThrow(
      expect.objectContaining({ code: 'malformed-request', retry: 'never', report: expect.objectContaining({ expected: 'WANTS-LOCAL SYSTEM DRV FEATURES', seen: JSON.stringify(line) }) as unknown }),
    )
  })

  it('quotes little of a long one', () => {
    expect(() => parseRequest('x'.repeat(1_000_000))).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{0,500}$/) as unknown }))
  })

  it('gives back what was asked', () => {
    const word = fc.stringMatching(/^[a-z0-9-]{1,12}$/)
    fc.assert(
      fc.property(fc.boolean(), word, word, fc.array(word), (wantsLocal, system, name, features) => {
        const asked = { derivation: `/gnu/store/${name}.drv`, system, features, wantsLocal }
        expect(parseRequest(`${wantsLocal ? 1 : 0} ${system} ${asked.derivation} ${features.join(',')}`)).toEqual(asked)
      }),
    )
  })
})

describe('parsePaths', () => {
  it('reads none, one and many', () => {
    expect(parsePaths('')).toEqual([])
    expect(parsePaths('/gnu/store/a ')).toEqual(['/gnu/store/a'])
    expect(parsePaths('/gnu/store/a /gnu/store/b ')).toEqual(['/gnu/store/a', '/gnu/store/b'])
  })
})
