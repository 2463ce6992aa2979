import { expect, it } from 'vitest'
import type { ConfigurationDescription } from '../../../src/config/describe-configuration.js'
import { showConfiguration } from '../../../src/offload/show-configuration.js'
import { machine } from '../machines/machine-fixture.js'

const origin = { kind: 'file', file: '/offload.yaml', position: { line: 1, column: 1 } } as const
const installed = { transports: ['lsh', 'ssh2'], schedulers: ['guix'], sources: ['machines-scm'] }
const nothing: ConfigurationDescription = { file: '/offload.yaml', values: [], patterns: [], sections: [] }
const value = (path: readonly string[], given: unknown) => ({ path, value: given, text: String(given), origin })

it('says which machines each entry is about, and warns of those that are about none', async () => {
  const description = { ...nothing, patterns: ['b*', 'B1', 'c[1-2]', 'gone'].map((pattern) => ({ pattern, origin })) }
  const machines = [machine('b1'), machine('b1'), machine('b2'), machine('c1')]
  const { patterns, warnings } = await showConfiguration(description, installed, machines)
  expect(patterns.map(({ pattern, machines: found }) => [pattern, found])).toEqual([['b*', ['b1:22', 'b2:22']], ['B1', ['b1:22']], ['c[1-2]', ['c1:22']], ['gone', []]])
  expect(warnings).toEqual([{ code: 'no-machine-matches', message: 'machines.gone: no machine has a name like that', origin }])
})

it('says nothing of matches where the machines are not known', async () => {
  const { patterns, warnings } = await showConfiguration({ ...nothing, patterns: [{ pattern: 'b*', origin }] }, installed, undefined)
  expect({ machines: patterns[0]?.machines, warnings }).toEqual({ machines: undefined, warnings: [] })
})

it('names what no plugin brings, with what is near', async () => {
  const values = [value(['transport'], 'ssh'), value(['scheduler'], 'guix'), value(['sources'], ['machines-scm', 'machines-smc']), value(['machines', 'b1', 'transport'], 'lhs'), value(['machines', 'b1', 'proxyJump'], 'lhs')]
  const { warnings } = await showConfiguration({ ...nothing, values, sections: [{ name: 'elsewhere', origin }, { name: 'lsh', origin }] }, installed, [])
  expect(warnings.map(({ code, message }) => [code, message])).toEqual([
    ['unknown-transport', 'no plugin brings a transport \'ssh\'; did you mean \'lsh\'?'],
    ['unknown-machine-source', 'no plugin brings a machine source \'machines-smc\'; did you mean \'machines-scm\'?'],
    ['unknown-transport', 'no plugin brings a transport \'lhs\'; did you mean \'lsh\'?'],
    ['unknown-contribution', 'no plugin brings a contribution \'elsewhere\'; there is lsh, ssh2, guix, machines-scm'],
  ])
})
