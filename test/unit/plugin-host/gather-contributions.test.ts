import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Config } from '@oclif/core/config'
import { settings } from '@oclif/core/settings'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gatherContributions } from '../../../src/plugin-host/gather-contributions.js'
import { pluginHost } from '../../support/plugin-host.js'
import type { Log } from '../../../src/plugin-api/index.js'

let root: string
let warnings: string[]
const log: Log = { debug: () => undefined, info: () => undefined, warn: (message) => warnings.push(message) }

beforeEach(async () => {
  settings.enableAutoTranspile = false
  warnings = []
  root = await mkdtemp(join(tmpdir(), 'plugin-host-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

/** A root package with real plugin packages below it; the values are the bodies of their hooks. */
async function configWith(plugins: Record<string, string>): Promise<Config> {
  const dependencies = Object.fromEntries(Object.keys(plugins).map((name) => [name, '1.0.0']))
  await writeFile(join(root, 'package.json'), JSON.stringify({ name: 'root', version: '1.0.0', type: 'module', dependencies, oclif: { plugins: ['*'] } }))
  for (const [name, body] of Object.entries(plugins)) {
    const folder = join(root, 'node_modules', name)
    await mkdir(folder, { recursive: true })
    const manifest = { name, version: '1.0.0', type: 'module', oclif: { hooks: { 'offload:contribute': './contribute.js' } } }
    await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
    await writeFile(join(folder, 'contribute.js'), body)
  }
  return Config.load({ root, devPlugins: false, userPlugins: false })
}

const brings = (name: string) => `export default ({ registrar }) => { registrar.transport('${name}', () => ({ name: '${name}' })) }`

describe('gathering contributions', () => {
  it('asks every plugin and knows which package brought what', async () => {
    const config = await configWith({ second: brings('b'), first: brings('a') })
    const contributions = await gatherContributions(config, log)
    expect(contributions.names('transport')).toEqual(['a', 'b'])
    expect(warnings).toEqual([])
  })

  it('names both packages when a name is taken twice', async () => {
    const config = await configWith({ second: brings('same'), first: brings('same') })
    await expect(gatherContributions(config, log)).rejects.toThrow(/'same' is brought by two packages, first and second/)
  })

  it.each([
    ['throws', `export default ({ registrar }) => { registrar.transport('half', () => ({})); throw new Error('boom\\nstack') }`, /: boom$/],
    ['cannot be loaded', 'import "no-such-package"', /no-such-package/],
    ['hangs', 'export default () => new Promise(() => {})', /200 ms/],
    ['hangs while it is loaded', 'await new Promise((resolve) => setTimeout(resolve, 5000)); export default () => {}', /200 ms/],
  ])('leaves out a plugin whose hook %s, with one warning, and keeps the rest', async (_, body, reason) => {
    const config = await configWith({ bad: body, good: brings('a') })
    const contributions = await gatherContributions(config, log, { timeoutMs: 200 })
    expect(contributions.names('transport')).toEqual(['a'])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^plugin bad is left out: /)
    expect(warnings[0]).toMatch(reason)
    await expect(contributions.make('transport', 'half', pluginHost())).rejects.toThrow(/Plugin bad failed/)
  })

  it('keeps what a plugin prints away from stdout', async () => {
    const config = await configWith({ loud: `process.stdout.write('# decline\\n'); ${brings('a')}` })
    const written: unknown[] = []
    const own = process.stdout.write.bind(process.stdout)
    process.stdout.write = ((text: unknown) => written.push(text) > 0)
    try {
      await gatherContributions(config, log)
    } finally {
      process.stdout.write = own
    }
    expect(written).toEqual([])
  })
})
