import { describe, expect, it } from 'vitest'
import { gatherMachines } from '../../../src/machines/gather-machines.js'
import type { MachineList, MachineSettings, MachineSource, SourceContext } from '../../../src/plugin-api/index.js'
import { machine } from './machine-fixture.js'

const context: SourceContext = { signal: new AbortController().signal, configurationDirectory: '/etc/guix', homeDirectory: '/root', environment: {} }

const source = (name: string, list: Partial<MachineList> | Error): MachineSource => ({
  name,
  list: async () => {
    if (list instanceof Error) throw list
    return { machines: [], warnings: [], ...list }
  },
})

describe('gatherMachines', () => {
  it('keeps the order of the sources, whichever answers first', async () => {
    const slow: MachineSource = {
      name: 'slow',
      list: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return { machines: [machine('a'), machine('b')], warnings: [], engine: 'snail' }
      },
    }
    const { machines, engines } = await gatherMachines([slow, source('fast', { machines: [machine('c')] })], context)
    expect(machines.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    expect(engines).toEqual({ slow: 'snail' })
  })

  it('drops what an earlier source lists already, and says so', async () => {
    const location = { file: 'two.scm', line: 3, column: 1 }
    const { machines, warnings } = await gatherMachines(
      [source('one', { machines: [machine('a', { speed: 2 })] }), source('two', { machines: [machine('a', { location }), machine('a', { port: 2222 })] })],
      context,
    )
    expect(machines.map(({ port, speed }) => [port, speed])).toEqual([[22, 2], [2222, 1]])
    expect(warnings).toEqual([{ code: 'machine-listed-twice', message: 'two: a:22 is listed by one already; this entry is left out', location, dropped: true }])
  })

  it('keeps two entries of one source for one machine', async () => {
    const entries = [machine('a', { systems: ['x86_64-linux'] }), machine('a', { systems: ['i686-linux'] })]
    const { machines, warnings } = await gatherMachines([source('one', { machines: entries })], context)
    expect(machines).toEqual(entries)
    expect(warnings).toEqual([])
  })

  it('reports a source that fails and goes on with the others', async () => {
    const failure = new Error('no such file')
    const warning = { code: 'w', message: 'careful' }
    const { machines, failures, warnings } = await gatherMachines([source('one', failure), source('two', { machines: [machine('b')], warnings: [warning] })], context)
    expect(machines.map(({ name }) => name)).toEqual(['b'])
    expect(failures).toEqual([{ source: 'one', error: failure }])
    expect(warnings).toEqual([warning])
  })

  it('reports a source that throws at once, not in its promise', async () => {
    const rude: MachineSource = {
      name: 'rude',
      list: () => {
        throw new Error('now')
      },
    }
    expect((await gatherMachines([rude], context)).failures).toMatchObject([{ source: 'rude', error: { message: 'now' } }])
  })

  it.each(['', '../../etc', 'a b', '-oProxyCommand=x', 'a\nb', 'a\0'])('leaves out the name %j, which would end up in file names and command lines', async (name) => {
    const { machines, warnings } = await gatherMachines([source('net', { machines: [machine(name), machine('fe80::1%eth0')] })], context)
    expect(machines.map((each) => each.name)).toEqual(['fe80::1%eth0'])
    expect(warnings).toMatchObject([{ code: 'machine-name-unsafe', dropped: true }])
  })

  it('adds the settings of the configuration file', async () => {
    const { machines } = await gatherMachines([source('one', { machines: [machine('b1'), machine('c')] })], context, (name): MachineSettings => (name === 'b1' ? { transport: 'openssh' } : {}))
    expect(machines.map(({ settings }) => settings)).toEqual([{ transport: 'openssh' }, undefined])
  })

  it('gives up when aborted', async () => {
    const controller = new AbortController()
    const gathering = gatherMachines([source('one', { machines: [machine('a')] })], { ...context, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(gathering).rejects.toThrow('enough')
  })
})
