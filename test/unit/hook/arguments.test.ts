import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseHookArguments } from '../../../src/hook/arguments.js'

describe('parseHookArguments', () => {
  it.each([
    ['true', true],
    ['false', false],
    ['1', true],
    ['0', false],
  ])('reads what daemons pass, old and new: PRINT-BUILD-TRACE %s', (word, printBuildTrace) => {
    expect(parseHookArguments(['x86_64-linux', '3600', word, '0'])).toEqual({
      system: 'x86_64-linux',
      maxSilentSeconds: 3600,
      printBuildTrace,
      buildTimeoutSeconds: 0,
    })
  })

  it.each([
    [['x86_64 linux', '0', '1', '0'], 'SYSTEM', 'a system type such as x86_64-linux', '"x86_64 linux"'],
    [['', '0', '1', '0'], 'SYSTEM', 'a system type such as x86_64-linux', '""'],
    [['x86_64-linux', '-1', '1', '0'], 'MAX-SILENT-TIME', 'whole seconds, 0 or more', '"-1"'],
    [['x86_64-linux', '1.5', '1', '0'], 'MAX-SILENT-TIME', 'whole seconds, 0 or more', '"1.5"'],
    [['x86_64-linux', '0', 'yes', '0'], 'PRINT-BUILD-TRACE', 'true, false, 1 or 0', '"yes"'],
    [['x86_64-linux', '0', 'toString', '0'], 'PRINT-BUILD-TRACE', 'true, false, 1 or 0', '"toString"'],
    [['x86_64-linux', '0', '1', '1e3'], 'BUILD-TIMEOUT', 'whole seconds, 0 or more', '"1e3"'],
    [['x86_64-linux', '0', '1', '99999999999999999999'], 'BUILD-TIMEOUT', 'whole seconds, 0 or more', '"99999999999999999999"'],
    [['x86_64-linux', '0', '1'], 'the command line', 'SYSTEM MAX-SILENT-TIME PRINT-BUILD-TRACE BUILD-TIMEOUT', 'x86_64-linux 0 1'],
    [[], 'the command line', 'SYSTEM MAX-SILENT-TIME PRINT-BUILD-TRACE BUILD-TIMEOUT', 'nothing'],
  ])('refuses %j and says which, what and why', (words, subject, expected, seen) => {
    expect(() => parseHookArguments(words)).toThrow(
      expect.objectContaining({ code: 'invalid-hook-argument', fault: 'configuration', report: expect.objectContaining({ subject, expected, seen }) as unknown }),
    )
  })

  it('takes a time for what it is or not at all', () => {
    fc.assert(
      fc.property(fc.string(), (word) => {
        try {
          const { maxSilentSeconds } = parseHookArguments(['x', word, '1', '0'])
          expect(word).toMatch(/^0*\d+$/)
          expect(BigInt(word)).toBe(BigInt(maxSilentSeconds))
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid-hook-argument' })
          expect(word).not.toMatch(/^\d{1,15}$/)
        }
      }),
    )
  })
})
