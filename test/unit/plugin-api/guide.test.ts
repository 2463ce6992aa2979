import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const guide = readFileSync(join(root, 'plugins/README.md'), 'utf8')
const shown = [...guide.matchAll(/^```ts\n\/\/ ((?:machines|scheduler)-\S+)\n(.*?)^```$/gms)].map(([, path = '', text = '']) => ({ path, text }))

describe('the guide for authors of plugins', () => {
  it.each(shown)('shows $path as it is tested', ({ path, text }) => {
    expect(text).toBe(readFileSync(join(root, 'test/fixtures/plugins', path), 'utf8'))
  })

  it('shows a machine source in thirty lines, and a strategy', () => {
    expect(shown.map(({ path }) => path)).toEqual(['machines-consul/src/consul-source.ts', 'scheduler-two-choices/src/two-choices.ts'])
    expect(shown[0]?.text.trim().split('\n').length).toBeLessThanOrEqual(30)
  })

  it('links to what there is', () => {
    for (const [, target = ''] of guide.matchAll(/\]\(([^)]+)\)/g)) expect(existsSync(join(root, 'plugins', target)), target).toBe(true)
  })
})
