import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

interface ApiReport {
  readonly reportFile: string
  apiReport(): { readonly text: string; readonly undocumented: readonly string[] }
}

const root = fileURLToPath(new URL('../../..', import.meta.url))
// By a variable: it is JavaScript, which tsc is not told about.
const script = join(root, '.config/api-report.js')
const { apiReport, reportFile } = await import(script) as ApiReport
const report = apiReport()

describe('the public plugin API', () => {
  it('is as reported: if it is meant to change, run `npm run api-report`, raise apiVersion, and commit both', () => {
    expect(report.text).toBe(readFileSync(join(root, reportFile), 'utf8'))
  })

  it('has a comment on everything that it exports', () => {
    expect(report.undocumented).toEqual([])
  })

  it('is whole: what a plugin contributes and is given is in it', () => {
    for (const name of ['ContributeHook', 'Registrar', 'PluginHost', 'Transport', 'Connection', 'MachineSource', 'SchedulingStrategy', 'ErrorFactory', 'transportConformance', 'testingHost']) {
      expect(report.text).toMatch(new RegExp(`^(interface|type|function) ${name}\\b`, 'm'))
    }
  })
})
