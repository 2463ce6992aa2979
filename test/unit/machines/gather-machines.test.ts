import { describe, expect, it } from 'vitest'
import { gatherMachines } from '../../../src/machines/gather-machines.js'
import type { BuildMachine, FoundMachine, MachineList, MachineSettings, MachineSource, SourceContext } from '../../../src/plugin-api/index.js'
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

  describe('a machine that was found', () => {
    const [key, other] = ['ssh-ed25519 AAAAone', 'ssh-ed25519 AAAAtwo']
    const found = (name: string, more: Partial<BuildMachine> = {}): BuildMachine => machine(name, { hostKey: key, heardAt: 5, source: 'net', ...more })
    const writtenDown = (name: string, more: Partial<BuildMachine> = {}): BuildMachine => machine(name, { hostKey: other, source: 'file', ...more })

    it.each([
      ['name and port', writtenDown('b'), found('b')],
      ['host key, whatever its comment', writtenDown('b', { hostKey: `${key}  root@b` }), found('b.local')],
      ['further host key', writtenDown('b', { settings: { hostKeys: [key] } }), found('b.local')],
      ['address', writtenDown('10.0.0.2'), found('b.local', { address: '10.0.0.2' })],
    ])('gives way to one that is written down with its %s, whatever the order of the sources', async (_, file, net) => {
      for (const order of [['file', 'net'], ['net', 'file']]) {
        const sources = order.map((name) => source(name, { machines: [name === 'net' ? net : file] }))
        const gathered = await gatherMachines(sources, context)
        expect(gathered.machines).toEqual([file])
        // A hook warns of nothing: that is as it should be.
        expect(gathered.warnings).toEqual([])
        expect(gathered.found).toMatchObject([{ name: net.name, standing: 'listed-already', reason: `it is ${file.name}:22, which file lists`, source: 'net' }])
      }
    })

    it('is used beside the others, and what is not trusted is passed on with who found it', async () => {
      const stranger: FoundMachine = { name: 'c.local', port: 22, standing: 'not-trusted', reason: 'nothing vouches for its host key', heardAt: 6 }
      const gathered = await gatherMachines([source('file', { machines: [writtenDown('a')] }), source('net', { machines: [found('b.local'), found('b.local', { systems: [] })], found: [stranger] })], context)
      expect(gathered.machines.map(({ name }) => name)).toEqual(['a', 'b.local', 'b.local'])
      expect(gathered.found).toEqual([{ ...stranger, source: 'net' }])
    })
  })
})
