/** What the README says about the configuration file is all there is, and right. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { describeConfiguration } from '../../../src/config/describe-configuration.js'
import { readEnvironment } from '../../../src/config/environment.js'
import { overrides } from '../../../src/config/overrides.js'
import { configurationKeys } from '../../../src/config/schema.js'

const readme = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8')
const section = /^## Configuration\n([^]*?)^##+ /m.exec(readme)?.[1] ?? ''
/** `| \`key\` | default | …` */
const rows = [...section.matchAll(/^\| `([\w.*]+)` \| ([^|]*) \|/gm)].map(([, key = '', value = '']) => [key, value.trim().replaceAll('`', '')] as const)

describe('the README', () => {
  it('has every key of the configuration file, and no other', () => {
    expect(rows.map(([key]) => key).sort()).toEqual([...configurationKeys()].sort())
  })

  it('has the defaults', async () => {
    const { values } = await describeConfiguration(readEnvironment({ GUIX_CONFIGURATION_DIRECTORY: '/nonexistent' }))
    expect(values.length).toBeGreaterThan(10)
    expect(rows.filter(([key]) => !/^(machines|plugins)\./.test(key))).toEqual(expect.arrayContaining(values.map(({ path, text }) => [path.join('.'), text])))
    expect(values.map(({ path }) => path.join('.')).sort()).toEqual(rows.map(([key]) => key).filter((key) => !/^(machines|plugins)\./.test(key)).sort())
  })

  it('has every variable that overrides a key', () => {
    for (const variable of Object.values(overrides)) expect(section).toContain(`\`${variable}\``)
  })
})
