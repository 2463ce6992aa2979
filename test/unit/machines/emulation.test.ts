import { describe, expect, it } from 'vitest'
import { isEmulated } from '../../../src/machines/emulation.js'

describe('isEmulated', () => {
  it.each([
    [['x86_64-linux'], 'x86_64-linux', undefined, false],
    [['x86_64-linux', 'i686-linux'], 'i686-linux', undefined, false],
    [['i686-linux', 'x86_64-linux'], 'x86_64-linux', undefined, false],
    [['x86_64-linux', 'aarch64-linux'], 'aarch64-linux', undefined, true],
    [['aarch64-linux', 'armhf-linux'], 'armhf-linux', undefined, false],
    [['powerpc64le-linux', 'riscv64-linux'], 'riscv64-linux', undefined, true],
    // The machine knows better than the order of its list.
    [['x86_64-linux', 'aarch64-linux'], 'aarch64-linux', 'aarch64', false],
    [['x86_64-linux', 'aarch64-linux'], 'x86_64-linux', 'aarch64', true],
    [['x86_64-linux'], 'x86_64-linux', 'i686', false],
    [['armhf-linux'], 'armhf-linux', 'armv7l', false],
    [['powerpc-linux'], 'powerpc-linux', 'ppc', false],
    [['powerpc64le-linux'], 'powerpc64le-linux', 'ppc64le', false],
    [['mips64el-linux'], 'mips64el-linux', 'mips64', false],
    [['i586-gnu'], 'i586-gnu', 'i686-AT386', false],
    [['loongarch64-linux'], 'loongarch64-linux', 'loongarch64', false],
    [['x86_64-linux', 'loongarch64-linux'], 'loongarch64-linux', 'x86_64', true],
    [[], '', undefined, false],
  ])('of %j, asked for %s, with uname saying %s: %s', (systems, system, architecture, expected) => {
    expect(isEmulated({ systems }, system, architecture)).toBe(expected)
  })
})
