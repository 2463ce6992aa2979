import { describe, expect, it } from 'vitest'
import { MachineError } from '../../../src/errors/offload-error.js'
import { decide, type DecidePorts, type Decision } from '../../../src/offload/decide.js'
import type { BuildRequest, Connection, Probe } from '../../../src/plugin-api/index.js'
import type { Chosen, Selection } from '../../../src/scheduling/machine-selector.js'
import { scratchFolders } from '../../support/scratch.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeStores } from './fake-stores.js'

const scratch = scratchFolders()
const limits = { maxSilentTime: 60, timeout: 600 }
const probe: Probe = { at: 0, load: 0.5, cores: 2, normalizedLoad: 0.25, freeBytes: 5 * 2 ** 20 }
const here: BuildRequest = { derivation: '/gnu/store/00000000000000000000000000000000-x.drv', system: 'x86_64-linux', features: [], wantsLocal: true }

class Scene {
  readonly stores = new FakeStores(scratch())
  readonly held: string[] = []
  readonly seen: { machines: readonly string[]; tried: readonly string[] }[] = []
  readonly controller = new AbortController()
  readonly deadlines: (number | undefined)[] = []
  listings = 0
  readonly refusals: string[] = []

  chosen(name: string): Chosen {
    this.held.push(name)
    const description = machine(name)
    return {
      kind: 'chosen',
      machine: description,
      connection: { machine: description, details: {} } as unknown as Connection,
      slot: { machine: description, index: 0, file: `/var/guix/offload/${name}:22/0`, release: () => undefined },
      probe,
      verdicts: [],
      release: async () => void this.held.splice(this.held.indexOf(name), 1),
    }
  }

  decide(selection: Selection | (() => Selection), changes: Partial<DecidePorts> = {}, request = here): Promise<Decision> {
    const ports: DecidePorts = {
      ...this.stores.ports(),
      machines: async () => {
        this.listings += 1
        return { machines: [machine('b1'), machine('b2')], warnings: [] }
      },
      select: async (_request, machines, { tried = new Set<string>(), deadlineMs }) => {
        this.deadlines.push(deadlineMs)
        this.seen.push({ machines: machines.map(({ name }) => name), tried: [...tried] })
        return typeof selection === 'function' ? selection() : selection
      },
      answerPolicy: { daemonSystem: 'x86_64-linux', onUnreachable: 'local' },
      patienceMs: 10_250,
      cleanUp: () => this.stores.note('clean up'),
      buildLog: () => undefined,
      probe: async () => probe,
      pause: async () => undefined,
      history: { append: async () => undefined },
      noteRefusal: async (_request, outcome, refused) => void this.refusals.push(`${outcome} ${refused.length}`),
      links: { learn: async () => undefined },
      health: { passed: () => undefined, failed: () => undefined },
      said: new Set(),
      ...changes,
    }
    return decide(request, limits, ports, this.controller.signal)
  }
}

describe('the answer to a request', () => {
  it('is not waited for longer than it takes to see that a machine is dead, if the daemon can build it instead', async () => {
    const scene = new Scene()
    await scene.decide({ kind: 'unreachable', verdicts: [] })
    await scene.decide({ kind: 'unreachable', verdicts: [] }, {}, { ...here, wantsLocal: false })
    await scene.decide({ kind: 'unreachable', verdicts: [] }, { answerPolicy: { daemonSystem: 'x86_64-linux', onUnreachable: 'wait' } })
    expect(scene.deadlines).toEqual([10_250, undefined, undefined])
  })

  it('says of each machine that is set aside or disabled why, but not again each time the daemon asks', async () => {
    const scene = new Scene()
    const said = new Set<string>()
    const selection: Selection = {
      kind: 'unreachable',
      verdicts: [{ machine: machine('b1'), code: 'resting', reason: 'set aside until 12:03:05' }, { machine: machine('b2'), code: 'disabled', reason: 'disabled until it is enabled' }],
    }
    for (let time = 0; time < 3; time += 1) expect(await scene.decide(selection, { said })).toMatchObject({ reply: 'decline' })
    expect(scene.stores.events).toEqual(["> machine 'b1:22': set aside until 12:03:05", "> machine 'b2:22': disabled until it is enabled"])
  })

  it.each([
    ['none', here, 'decline'],
    ['busy', here, 'postpone'],
    ['unreachable', here, 'decline'],
    ['unreachable', { ...here, wantsLocal: false }, 'postpone'],
    ['unreachable', { ...here, system: 'aarch64-linux' }, 'postpone'],
  ] as const)('is, with %s and %j: %s', async (kind, request, reply) => {
    const scene = new Scene()
    const decision = await scene.decide({ kind, verdicts: [{ machine: machine('b1', { systems: [request.system] }), code: 'slots-taken', reason: '1 of 1 slots taken' }] }, {}, request)
    expect(decision.reply).toBe(reply)
    // Kept once guix-daemon has its answer, not before.
    expect(scene.refusals).toEqual([])
    if (decision.reply !== 'accept') await decision.afterwards()
    expect(scene.refusals).toEqual([`${reply}d 1`])
  })

  it('is not kept where no machine builds for the system', async () => {
    const scene = new Scene()
    const decision = await scene.decide({ kind: 'none', verdicts: [{ machine: machine('b1', { systems: ['x86_64-linux'] }), code: 'unsuited', reason: 'builds for x86_64-linux only' }] }, {}, { ...here, system: 'armhf-linux' })
    if (decision.reply !== 'accept') await decision.afterwards()
    expect(decision.reply).toBe('decline')
    expect(scene.refusals).toEqual([])
  })

  it('comes with the reasons of machines that could have, and none for those that never could', async () => {
    const scene = new Scene()
    const error = new MachineError({ code: 'connection-refused', step: 'connecting', problem: 'nothing listens', machine: 'b2' })
    await scene.decide({
      kind: 'busy',
      verdicts: [
        { machine: machine('b1'), code: 'low-disk-space', reason: 'free space 5 MiB', probe },
        { machine: machine('b2'), code: 'unreachable', reason: 'connect: nothing listens', error },
        { machine: machine('b3'), code: 'unsuited', reason: 'no kvm' },
      ],
    })
    expect(scene.stores.events).toEqual([
      "> normalized load on machine 'b1' is 0.25",
      "> skipping machine 'b1' because it is low on disk space (5 MiB free)",
      ">! machine 'b2:22': connect: nothing listens",
    ])
  })

  it('comes with the warnings of the machine sources', async () => {
    const scene = new Scene()
    const warnings = [{ code: 'no-such-field', message: 'machines.scm:3: no such field' }]
    await scene.decide({ kind: 'none', verdicts: [] }, { machines: async () => ({ machines: [], warnings }) })
    expect(scene.stores.events).toEqual(['>! machines.scm:3: no such field'])
  })

  it('fails when the machines cannot be listed or chosen from', async () => {
    await expect(new Scene().decide({ kind: 'none', verdicts: [] }, { machines: () => Promise.reject(new Error('no file')) })).rejects.toThrow('no file')
    await expect(new Scene().decide(() => { throw new Error('no strategy') })).rejects.toThrow('no strategy')
  })
})

describe('an accepted derivation', () => {
  it('keeps its slot until it is abandoned', async () => {
    const scene = new Scene()
    const decision = await scene.decide(() => scene.chosen('b1'))
    if (decision.reply !== 'accept') throw new Error(decision.reply)
    expect(scene.stores.events).toEqual([`> process ${process.pid} acquired build slot '/var/guix/offload/b1:22/0'`, "> normalized load on machine 'b1' is 0.25"])
    expect(scene.held).toEqual(['b1'])
    await decision.abandon()
    expect(scene.held).toEqual([])
  })

  it('is built after the leftovers of others are gone, and then holds nothing', async () => {
    const scene = new Scene()
    const output = scene.stores.path('x')
    const derivation = scene.stores.derivation('x', [output], [])
    const decision = await scene.decide(() => scene.chosen('b1'), {}, { ...here, derivation })
    if (decision.reply !== 'accept') throw new Error(decision.reply)
    expect(await decision.offload([derivation], [output])).toBe(0)
    expect(scene.stores.events).toContain('build x.drv')
    expect(scene.stores.events.indexOf('clean up')).toBeLessThan(scene.stores.events.indexOf('keep x.drv'))
    expect(scene.held).toEqual([])
  })

  it('is built even if cleaning up after others fails', async () => {
    const scene = new Scene()
    const output = scene.stores.path('x')
    const derivation = scene.stores.derivation('x', [output], [])
    const cleanUp = () => { throw new Error('read-only file system') }
    const decision = await scene.decide(() => scene.chosen('b1'), { cleanUp }, { ...here, derivation })
    if (decision.reply !== 'accept') throw new Error(decision.reply)
    expect(await decision.offload([derivation], [output])).toBe(0)
    expect(scene.held).toEqual([])
  })

  it('goes to another of the machines that were listed at first when one fails, with the limits of the request', async () => {
    const scene = new Scene()
    const output = scene.stores.path('x')
    const derivation = scene.stores.derivation('x', [output], [])
    const names = ['b1', 'b2']
    const builds: unknown[] = []
    const openRemoteStore: DecidePorts['openRemoteStore'] = async (connection) => scene.stores.remote([], {
      build: async (_derivation, { maxSilentTime, timeout }) => {
        builds.push({ on: connection.machine.name, maxSilentTime, timeout })
        if (connection.machine.name === 'b1') throw new MachineError({ code: 'connection-lost', step: 'building', problem: 'gone' })
      },
    })
    const decision = await scene.decide(() => scene.chosen(names.shift() ?? ''), { openRemoteStore }, { ...here, derivation })
    if (decision.reply !== 'accept') throw new Error(decision.reply)
    expect(await decision.offload([derivation], [output])).toBe(0)
    expect(builds).toEqual([{ on: 'b1', ...limits }, { on: 'b2', ...limits }])
    expect(scene.seen).toEqual([{ machines: ['b1', 'b2'], tried: [] }, { machines: ['b1', 'b2'], tried: ['b1:22'] }])
    expect(scene.listings).toBe(1)
    expect(scene.stores.events).toContain(`> process ${process.pid} acquired build slot '/var/guix/offload/b2:22/0'`)
    expect(scene.held).toEqual([])
  })
})
