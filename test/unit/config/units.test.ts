import { describe, expect, it } from 'vitest'
import { parseDuration, parseSize, printDuration, printSize } from '../../../src/config/units.js'

describe('units', () => {
  it.each([['500ms', 500], ['10s', 10_000], ['2m', 120_000], ['1.5m', 90_000], ['2 h', 7_200_000], [' 1s ', 1000], ['0s', 0], ['1d', 86_400_000]])('duration %s', (text, expected) => {
    expect(parseDuration(text)).toBe(expected)
  })

  it.each(['10', '', 's', '-1s', '1 S', '1 D', '1e3s', '1s2m', '١s', '1toString', 10, null, undefined, `${'9'.repeat(15)}h`])('no duration: %j', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })

  it.each([['100MiB', 104_857_600], ['1KiB', 1024], ['1.5GiB', 1_610_612_736], ['1kB', 1000], ['2 TB', 2e12], ['7B', 7], ['4096', 4096], [4096, 4096], [0, 0]])('size %s', (text, expected) => {
    expect(parseSize(text)).toBe(expected)
  })

  it.each(['', 'MiB', '-1MiB', '1mib', '1 Mb', -1, 1.5, Infinity, true, null])('no size: %j', (text) => {
    expect(parseSize(text)).toBeUndefined()
  })
})

describe('printed units', () => {
  it.each([[500, '500ms'], [1000, '1s'], [1500, '1500ms'], [90_000, '90s'], [120_000, '2m'], [7_200_000, '2h']])('%d ms', (ms, text) => {
    expect(printDuration(ms)).toBe(text)
    expect(parseDuration(text)).toBe(ms)
  })

  it.each([[0, '0B'], [7, '7B'], [104_857_600, '100MiB'], [1_000_000, '1000000B'], [2 ** 40, '1TiB']])('%d bytes', (size, text) => {
    expect(printSize(size)).toBe(text)
    expect(parseSize(text)).toBe(size)
  })
})
