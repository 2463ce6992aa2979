import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectedSeconds } from '../../../src/state/build-times.js'
import { scratchFolders } from '../../support/scratch.js'

const scratch = scratchFolders()
const drv = (name: string) => `/gnu/store/8ywccyr4c5hc6jhzq5y84kfqyc9a1v3y-${name}.drv`
const line = (name: string, build: unknown, rest: object = {}) => JSON.stringify({ derivation: drv(name), machine: 'b1:22', outcome: 'built', seconds: { build }, ...rest })
const speeds: Readonly<Record<string, number>> = { 'b1:22': 1, 'b2:22': 4 }

const expected = (lines: readonly string[], name: string) => {
  const folder = scratch()
  mkdirSync(join(folder, 'offload'))
  writeFileSync(join(folder, 'offload', 'history.jsonl'), lines.join('\n'))
  return expectedSeconds(folder, drv(name), (machine) => speeds[machine])
}

describe('expectedSeconds', () => {
  it('is the mean of builds of the same package, whatever its version', async () => {
    const lines = [line('hello-2.10', 10), line('hello-2.12.2', 60), line('hello-2.12', 20), line('hello-world-1.0', 500), line('gcc-14.3.0', 1000)]
    expect(await expected(lines, 'hello-3.0')).toBe(30)
    expect(await expected(lines, 'gcc-15')).toBe(1000)
  })

  it('is that of all builds for a package that is new', async () => {
    expect(await expected([line('a-1', 10), line('b-1', 60), line('c-1', 20)], 'new-1')).toBe(30)
  })

  it('counts for a machine of speed 1', async () => {
    expect(await expected([line('a-1', 10, { machine: 'b2:22' })], 'a-2')).toBe(40)
    expect(await expected([line('a-1', 10, { machine: 'gone:22' })], 'a-2')).toBeUndefined()
  })

  it('looks at what was built, and skips what it cannot read', async () => {
    expect(await expected([line('a-1', 10, { outcome: 'build-failed' }), line('a-1', '7'), '{"outcome":"built","deriv', '"built"', 'null "built"', line('a-1', 4)], 'a-1')).toBe(4)
  })

  it('knows nothing without a history', async () => {
    expect(await expectedSeconds(scratch(), drv('a-1'), () => 1)).toBeUndefined()
    expect(await expected([], 'a-1')).toBeUndefined()
  })

  it('looks at the end of a long history', async () => {
    const old = Array.from({ length: 5000 }, () => line('a-1', 1))
    expect(await expected([...old, ...Array.from({ length: 2500 }, () => line('a-1', 2))], 'a-1')).toBe(2)
  })
})
