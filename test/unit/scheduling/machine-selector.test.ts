import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { ConfigurationError, MachineError } from '../../../src/errors/offload-error.js'
import type { BuildMachine, BuildRequest, SchedulingStrategy } from '../../../src/plugin-api/index.js'
import { defaultSelectionPolicy, MachineSelector, type Selection, type SelectionOptions, type SelectionPorts } from '../../../src/scheduling/machine-selector.js'
import { clockTime } from '../../../src/scheduling/clock-time.js'
import type { Trouble } from '../../../src/state/health-files.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeClock, settled } from './fake-clock.js'
import { FakeFarm, probeOutput, type Behaviour } from './fake-farm.js'
import { SharedMemory } from './fake-health.js'
import { expectNothingLeft } from './nothing-left.js'

const request: BuildRequest = { derivation: '/gnu/store/x.drv', system: 'x86_64-linux', features: [], wantsLocal: false }

/** By speed and nothing else. */
const bySpeed: SchedulingStrategy = {
  name: 'by-speed',
  rank: (_request, candidates) =>
    [...candidates].sort((a, b) => b.machine.speed - a.machine.speed).map((candidate) => ({ candidate, score: candidate.machine.speed, reason: `speed ${candidate.machine.speed}` })),
}

const refused = (name: string, retry?: 'later') => new MachineError({ code: 'connection-refused', step: 'connecting', problem: 'refused', machine: name }, retry)

let clock: FakeClock
let controller: AbortController

beforeEach(() => {
  clock = new FakeClock()
  controller = new AbortController()
})

function setUp(behaviours: Record<string, Behaviour>, ports: Partial<SelectionPorts> = {}) {
  const farm = new FakeFarm(clock, behaviours)
  const memory = new SharedMemory()
  const selector = new MachineSelector({ connect: farm.connect, slots: farm.slots, strategy: bySpeed, clock, random: () => 0, health: memory.health(clock), ...ports })
  const select = (machines: readonly BuildMachine[], options: Partial<SelectionOptions> = {}) =>
    clock.drive(selector.select(request, machines, { signal: controller.signal, ...options }))
  return { farm, memory, selector, select }
}

/** Of a machine that failed a second ago. */
const trouble = (now: number, rest: Partial<Trouble> = {}): Trouble => ({
  failures: 1, since: now - 1000, at: now - 1000, until: now, stage: 'reach', code: 'connection-refused', reason: 'connecting: refused', passed: false, ...rest,
})

const codes = ({ verdicts }: Selection) => verdicts.map(({ machine: { name }, code }) => `${name} ${code}`)
const reasons = ({ verdicts }: Selection) => verdicts.map(({ machine: { name }, reason }) => `${name}: ${reason}`)

/** Three machines, best first. */
const three = [machine('a', { speed: 3 }), machine('b', { speed: 2 }), machine('c', { speed: 1 })]

describe('MachineSelector', () => {
  it('asks only the best one if that is well, and hands over its open connection and slot', async () => {
    const { farm, select } = setUp({})
    const selection = await select(three)
    if (selection.kind !== 'chosen') return expect.unreachable()
    expect(selection.machine.name).toBe('a')
    expect(farm.log).toEqual(['0 connect a'])
    expect(farm.open).toEqual(new Set([selection.connection]))
    expect(farm.heldSlots).toEqual(new Set([selection.slot]))
    expect(selection.probe).toMatchObject({ load: 0.1, cores: 4, freeBytes: 51_200_000_000, at: 1_000_015 })
    expect(reasons(selection)).toEqual(['a: speed 3, load 0.03, 47 GiB free', 'b: not needed, a was chosen', 'c: not needed, a was chosen'])
    await selection.release()
    await selection.release()
    expect(farm.open.size + farm.heldSlots.size + clock.pending).toBe(0)
  })

  it('declines what nobody can build, with every reason', async () => {
    const { farm, select } = setUp({})
    const selection = await select([machine('a', { systems: ['aarch64-linux'] }), machine('b', { settings: { disabled: true } })])
    expect(selection.kind).toBe('none')
    expect(reasons(selection)).toEqual(['a: builds for aarch64-linux only', 'b: is disabled in the configuration'])
    expect(farm.log).toEqual([])
    expect((await select([])).kind).toBe('none')
  })

  it('goes on to the next at once when one refuses, and remembers why', async () => {
    const { farm, select } = setUp({ a: { connectError: refused('a:22'), connectMs: 3 }, b: { output: probeOutput({ load: '3.32' }) } })
    const selection = await select(three)
    expect(selection).toMatchObject({ kind: 'chosen', machine: { name: 'c' } })
    expect(reasons(selection)).toEqual([
      'a: connect: connecting: refused',
      'b: load 0.83, must be below 0.80',
      'c: speed 1, load 0.03, 47 GiB free',
    ])
    expect(farm.log).toEqual(['0 connect a', '3 connect b', '18 connect c'])
    expect([farm.open.size, farm.heldSlots.size]).toEqual([1, 1])
  })

  it('loses its head start to a machine that is silent', async () => {
    const { farm, select } = setUp({ a: { connectMs: 30_000 } })
    const selection = await select(three)
    expect(selection).toMatchObject({ kind: 'chosen', machine: { name: 'b' } })
    expect(clock.now() - 1_000_000).toBe(defaultSelectionPolicy.headStartMs + 65)
    expect(codes(selection)).toEqual(['a not-needed', 'b chosen', 'c not-needed'])
    await settled()
    expect([farm.open.size, farm.heldSlots.size, clock.pending]).toEqual([1, 1, 0])
  })

  it('closes a connection that comes although it was called off', async () => {
    const { farm, select } = setUp({ a: { connectMs: 5_000, deaf: true } })
    await select(three)
    await clock.advance(10_000)
    expect(farm.open.size).toBe(1)
  })

  it.each<[string, Behaviour, string]>([
    ['overloaded', { output: probeOutput({ load: '9', cores: 4 }) }, 'load 1.00, must be below 0.80'],
    ['low-disk-space', { output: probeOutput({ freeKiB: 58_900 }) }, 'free space 57 MiB, must be at least 100 MiB'],
    ['slots-taken', { taken: 3 }, '3 of 3 slots taken'],
    ['turned-away', { connectError: refused('a:22', 'later') }, 'connect: connecting: refused'],
  ])('is busy when the only one is %s', async (code, behaviour, reason) => {
    const { farm, select } = setUp({ a: behaviour })
    const selection = await select([machine('a', { parallelBuilds: 3 })])
    expect(selection.kind).toBe('busy')
    expect(selection.verdicts).toMatchObject([{ code, reason }])
    expect([farm.open.size, farm.heldSlots.size, clock.pending]).toEqual([0, 0, 0])
  })

  it.each<[string, Behaviour, string]>([
    ['unreachable', { connectError: refused('a:22') }, 'connect: connecting: refused'],
    ['probe-failed', { probeError: refused('a:22') }, 'probe: connecting: refused'],
    ['probe-failed', { output: 'go away\n' }, 'probe: checking load and disk: the shell ended with status 0 (expected load, processors and free space, seen "go away")'],
    ['probe-failed', { probeMs: 60_000 }, 'probe: checking load and disk: no answer within 10 s. The machine may be overloaded or hang'],
  ])('is unreachable when the only one is %s', async (code, behaviour, reason) => {
    const { farm, select } = setUp({ a: behaviour })
    const selection = await select([machine('a')])
    expect(selection.kind).toBe('unreachable')
    expect(selection.verdicts).toMatchObject([{ code, reason }])
    expect([farm.open.size, farm.heldSlots.size, clock.pending]).toEqual([0, 0, 0])
  })

  it('is busy as soon as one of several only lacks room', async () => {
    const { select } = setUp({ a: { connectError: refused('a:22') }, b: { taken: 1 }, c: { connectError: refused('c:22') } })
    expect((await select(three)).kind).toBe('busy')
  })

  it('checks no load without a threshold, and never blocks on one above 1', async () => {
    const loaded = { output: probeOutput({ load: '99' }) }
    const { select } = setUp({ a: loaded, b: loaded })
    expect((await select([machine('a', { overloadThreshold: null })])).kind).toBe('chosen')
    expect((await select([machine('b', { overloadThreshold: 1.8 })])).kind).toBe('chosen')
  })

  it('leaves out machines tried before, by name and port', async () => {
    const { farm, select } = setUp({})
    const selection = await select([...three, machine('a', { speed: 9, port: 2222 })], { tried: new Set(['a:22', 'a:2222', 'b:22']) })
    expect(codes(selection)).toEqual(['a tried-before', 'b tried-before', 'c chosen', 'a tried-before'])
    expect(farm.log).toEqual(['0 connect c'])
    expect((await select(three, { tried: new Set(['a:22', 'b:22', 'c:22']) })).kind).toBe('unreachable')
  })

  it('does not ask a machine that is set aside', async () => {
    const { farm, memory, select } = setUp({})
    memory.troubles.set('a', trouble(clock.now(), { until: clock.now() + 40_000 }))
    const reason = `a: set aside until ${clockTime(1_040_000)}: connecting: refused at ${clockTime(999_000)}`
    expect(reasons(await select(three))[0]).toBe(reason)
    expect(farm.log).toEqual(['0 connect b'])
    const alone = await select([machine('a')])
    expect(alone.kind).toBe('unreachable')
    expect(codes(alone)).toEqual(['a resting'])
  })

  it('sets aside what cannot be reached or asked, and not what has no room', async () => {
    const { memory, select } = setUp({ a: { connectError: refused('a:22') }, b: { probeError: refused('b:22') }, c: { connectError: refused('c:22', 'later') }, d: { output: probeOutput({ load: '9' }) } })
    await select([...three, machine('d')])
    expect([...memory.troubles.keys()]).toEqual(['a', 'b'])
    expect(memory.troubles.get('a')).toMatchObject({ stage: 'reach', code: 'connection-refused', reason: 'connecting: refused' })
    const again = await select([...three, machine('d')])
    expect(codes(again)).toEqual(['a resting', 'b resting', 'c turned-away', 'd overloaded'])
  })

  it('blames no machine for being called off', async () => {
    const { memory, selector } = setUp({ a: { connectMs: 30_000 }, b: { probeMs: 30_000 } })
    const selecting = selector.select(request, three.slice(0, 2), { signal: controller.signal })
    selecting.catch(() => {})
    await clock.advance(1_000)
    controller.abort(new Error('told to stop'))
    await expect(selecting).rejects.toThrow('told to stop')
    await settled()
    expect([memory.troubles.size, memory.slow.size]).toEqual([0, 0])
  })

  it('asks machines that are set aside after all when it is desperate', async () => {
    const { memory, select } = setUp({ a: { connectError: refused('a:22') } })
    for (const name of ['a', 'b']) memory.troubles.set(name, trouble(clock.now(), { until: clock.now() + 40_000 }))
    expect(await select(three.slice(0, 2), { desperate: true })).toMatchObject({ kind: 'chosen', machine: { name: 'b' } })
    expect(memory.troubles.get('a')?.failures, 'no further failure: it was to be expected').toBe(1)
    expect(memory.troubles.has('b')).toBe(false)
  })

  it('does not ask a machine that people have disabled, however desperate', async () => {
    const { farm, memory, select } = setUp({})
    memory.disabled.set('a', { since: clock.now(), by: 'ann' })
    const selection = await select([machine('a')], { desperate: true })
    expect([selection.kind, codes(selection), farm.log]).toEqual(['disabled', ['a disabled'], []])
    expect(reasons(selection)[0]).toMatch(/^a: disabled until it is enabled: by ann at /)
    memory.troubles.set('b', trouble(clock.now(), { until: clock.now() + 40_000 }))
    expect((await select(three.slice(0, 2))).kind).toBe('unreachable')
    expect((await select([machine('a'), machine('d', { systems: [] })])).kind).toBe('disabled')
  })

  describe('of a machine whose rest is over', () => {
    const due = (memory: SharedMemory, name: string) => memory.troubles.set(name, trouble(clock.now(), { until: clock.now() - 1 }))

    it('chooses it, and clears it, if it answers', async () => {
      const { farm, memory, select } = setUp({})
      due(memory, 'a')
      expect(await select(three)).toMatchObject({ kind: 'chosen', machine: { name: 'a' } })
      expect(farm.log).toEqual(['0 connect a', '0 connect b'])
      expect([memory.troubles.size, memory.trials.size]).toEqual([0, 0])
    })

    it('waits not a moment for it while there are others, and finds out all the same', async () => {
      const { farm, memory, select } = setUp({ a: { connectMs: 10_000, connectError: refused('a:22') } })
      due(memory, 'a')
      expect(await select(three)).toMatchObject({ kind: 'chosen', machine: { name: 'b' } })
      expect(clock.now() - 1_000_000).toBeLessThan(100)
      expect(memory.trials.has('a')).toBe(true)
      // Others leave it alone meanwhile.
      expect(codes(await select(three))).toEqual(['a resting', 'b slots-taken', 'c chosen'])
      expect(farm.log.filter((line) => line.endsWith('connect a'))).toHaveLength(1)
      await clock.advance(10_000)
      expect(memory.troubles.get('a')).toMatchObject({ failures: 2 })
      expect([memory.trials.size, clock.pending]).toEqual([0, 0])
    })

    it('clears it also if it answers too late to be chosen', async () => {
      const { farm, memory, select } = setUp({ a: { connectMs: 3_000 } })
      due(memory, 'a')
      expect(await select(three)).toMatchObject({ kind: 'chosen', machine: { name: 'b' } })
      await clock.advance(4_000)
      expect([memory.troubles.size, memory.trials.size, farm.open.size, farm.heldSlots.size]).toEqual([0, 0, 1, 1])
    })

    it('decides without it if it takes long and there is no other', async () => {
      const { farm, memory, select } = setUp({ a: { connectMs: 10_000 } })
      due(memory, 'a')
      const selection = await select(three.slice(0, 1))
      expect([selection.kind, clock.now() - 1_000_000]).toEqual(['unreachable', defaultSelectionPolicy.trialMs])
      expect(reasons(selection)[0]).toMatch(/^a: set aside until .*; it is being tried again$/)
      expect([memory.trials.size, farm.heldSlots.size]).toEqual([1, 0])
      expect(memory.troubles.get('a'), 'in case we are not there when it ends').toMatchObject({ failures: 2, until: clock.now() + 30_000 })
      await clock.advance(20_000)
      expect([memory.troubles.size, memory.trials.size, farm.open.size]).toEqual([0, 0, 0])
    })

    it('lets one of several processes try it', async () => {
      const farm = new FakeFarm(clock, { a: { connectMs: 5_000, connectError: refused('a:22') } })
      const memory = new SharedMemory()
      due(memory, 'a')
      const hooks = Array.from({ length: 5 }, () =>
        new MachineSelector({ connect: farm.connect, slots: farm.slots, strategy: bySpeed, clock, random: () => 0, health: memory.health(clock) }))
      const one = [machine('a', { parallelBuilds: 9 })]
      const selections = await clock.drive(Promise.all(hooks.map((hook) => hook.select(request, one, { signal: controller.signal }))))
      expect(farm.log).toEqual(['0 connect a'])
      expect(selections.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'unreachable'))
      expect(reasons(selections[4] as Selection)[0]).toMatch(/; another process is trying it again$/)
      await clock.advance(5_000)
      expect([memory.troubles.get('a')?.failures, memory.trials.size]).toEqual([2, 0])
    })

    it('keeps the right to try one that failed in use until it has been of use', async () => {
      const { memory, select } = setUp({})
      memory.troubles.set('a', trouble(clock.now(), { stage: 'use', until: clock.now() - 1 }))
      const selection = await select(three)
      if (selection.kind !== 'chosen') return expect.unreachable()
      expect([selection.machine.name, memory.trials.has('a'), memory.troubles.size]).toEqual(['a', true, 1])
      await selection.release()
      expect(memory.trials.size).toBe(0)
    })
  })

  it('gives no head start to a machine that was slow to answer, until it has been quick or some time has passed', async () => {
    const slow: Record<string, Behaviour> = { a: { connectMs: 30_000 } }
    const { farm, memory, select } = setUp(slow)
    const took = async () => {
      const started = clock.now()
      const selection = await select(three)
      if (selection.kind === 'chosen') await selection.release()
      await settled()
      return `${codes(selection).find((code) => code.endsWith('chosen')) ?? ''} after ${clock.now() - started}`
    }
    const { headStartMs } = defaultSelectionPolicy
    expect(await took()).toBe(`b chosen after ${headStartMs + 65}`)
    expect(memory.slow.get('a')).toMatchObject({ times: 1 })
    // The best one has a moment's grace; b need not be asked about its load again.
    expect(await took()).toBe('b chosen after 60')
    expect(memory.slow.get('a')).toMatchObject({ times: 1 })
    await clock.advance(15_000)
    expect(await took()).toBe(`b chosen after ${headStartMs + 65}`)
    expect(memory.slow.get('a')).toMatchObject({ times: 2 })
    await clock.advance(1_000)
    slow['a'] = {}
    expect(await took()).toBe('a chosen after 15')
    expect([memory.slow.size, farm.open.size, clock.pending]).toEqual([0, 0, 0])
  })

  describe('with a probe that another process has made a moment ago', () => {
    it('does not ask again, if the machine is well', async () => {
      const { farm, memory, select } = setUp({ a: { probeError: refused('a:22') } })
      memory.probes.set('a', { probe: { at: clock.now() - 9_000, load: 0.4, cores: 4, normalizedLoad: 0.1, freeBytes: 2 ** 40 }, taken: 0 })
      const selection = await select(three)
      expect(selection).toMatchObject({ kind: 'chosen', machine: { name: 'a' }, probe: { load: 0.4 } })
      expect(farm.log).toEqual(['0 connect a'])
      if (selection.kind === 'chosen') await selection.release()
      await clock.advance(1_000)
      expect(await select(three)).toMatchObject({ machine: { name: 'b' } })
      expect(memory.troubles.has('a'), 'too old now: asked, in vain').toBe(true)
    })

    it('does not even connect to a machine that is overloaded or full', async () => {
      const { farm, memory, select } = setUp({})
      const probe = { at: clock.now() - 4_000, load: 3.32, cores: 4, normalizedLoad: 0.83, freeBytes: 2 ** 40 }
      memory.probes.set('a', { probe, taken: 0 })
      memory.probes.set('b', { probe: { ...probe, load: 0, normalizedLoad: 0, freeBytes: 5 }, taken: 0 })
      const selection = await select(three.slice(0, 2))
      expect(selection.kind).toBe('busy')
      expect(reasons(selection)).toEqual(['a: load 0.83, must be below 0.80, seen 4 s ago', 'b: free space 5 bytes, must be at least 100 MiB, seen 4 s ago'])
      expect(farm.log).toEqual([])
    })

    it('shows strategies what has been started since, and lets the machine itself say when it is too much', async () => {
      const { memory, select } = setUp({ a: { taken: 4 } }, {
        strategy: { name: 'watcher', rank: (asked, candidates, context) => {
          seen.push(...candidates.map(({ probe }) => probe?.normalizedLoad))
          return bySpeed.rank(asked, candidates, context)
        } },
      })
      const seen: unknown[] = []
      memory.probes.set('a', { probe: { at: clock.now(), load: 0.4, cores: 4, normalizedLoad: 0.1, freeBytes: 2 ** 40 }, taken: 1 })
      expect(await select([machine('a', { parallelBuilds: 8 })])).toMatchObject({ kind: 'chosen', probe: { normalizedLoad: 0.1 } })
      expect(seen).toEqual([0.85])
    })

    it('leaves one behind, with what was taken before', async () => {
      const { memory, select } = setUp({ a: { taken: 2 } })
      await select([machine('a', { parallelBuilds: 4 })])
      expect(memory.probes.get('a')).toMatchObject({ taken: 2, probe: { load: 0.1, at: 1_000_015 } })
    })
  })

  it('with a deadline is over by then, and sets aside what had its time', async () => {
    const machines = Array.from({ length: 20 }, (_, index) => machine(`m${index}`, { speed: 20 - index }))
    const { farm, memory, select } = setUp(Object.fromEntries(machines.map(({ name }) => [name, { connectMs: 60_000 }])))
    const selection = await select(machines, { deadlineMs: 10_000 })
    expect([selection.kind, clock.now() - 1_000_000]).toEqual(['unreachable', 10_000])
    expect(farm.log).toHaveLength(defaultSelectionPolicy.maxRunning)
    expect(reasons(selection).slice(7, 9)).toEqual([
      'm7: connect: connecting: not ready to build within 7.2 s. Is the machine up, and is it not overloaded?',
      'm8: not asked: no other machine answered within 10.0 s',
    ])
    expect(memory.troubles.size).toBe(defaultSelectionPolicy.maxRunning)
    await settled()
    expect([farm.heldSlots.size, clock.pending]).toEqual([0, 0])
  })

  it('tells the strategy slots, last probes, time and chance', async () => {
    const last = { at: 995_000, load: 1, cores: 2, normalizedLoad: 0.5, freeBytes: 2 ** 30 }
    const seen: unknown[] = []
    const strategy: SchedulingStrategy = {
      name: 'curious',
      rank: async (asked, candidates, { now, random }) => {
        seen.push(asked, now, random(), ...candidates.map(({ freeSlots, probe }) => ({ freeSlots, probe })))
        return []
      },
    }
    const { farm, memory, select } = setUp({ a: { taken: 1 } }, { strategy, random: () => 0.25 })
    memory.probes.set('b', { probe: last, taken: 0 })
    const selection = await select([machine('a', { parallelBuilds: 4 }), machine('b')])
    expect(seen).toEqual([request, 1_000_000, 0.25, { freeSlots: 3, probe: undefined }, { freeSlots: 1, probe: last }])
    expect(selection.kind).toBe('busy')
    expect(reasons(selection)).toEqual(['a: left out by the scheduling strategy curious', 'b: left out by the scheduling strategy curious'])
    expect(farm.heldSlots.size).toBe(0)
  })

  it('is not confused by a strategy that repeats or invents machines', async () => {
    const strategy: SchedulingStrategy = {
      name: 'sloppy',
      rank: (_request, candidates) =>
        [{ machine: machine('ghost'), freeSlots: 1 }, ...candidates, ...candidates].map((candidate) => ({ candidate, score: 1, reason: 'why not' })),
    }
    const { farm, select } = setUp({ a: { connectError: refused('a') }, b: { connectError: refused('b') }, c: { connectError: refused('c') } }, { strategy })
    expect((await select(three)).kind).toBe('unreachable')
    expect(farm.log.map((line) => line.split(' ')[2])).toEqual(['a', 'b', 'c'])
  })

  it('gives every slot back when the strategy throws', async () => {
    const strategy: SchedulingStrategy = {
      name: 'broken',
      rank: () => {
        throw new Error('division by zero')
      },
    }
    const { farm, select } = setUp({}, { strategy })
    await expect(select(three)).rejects.toThrow('division by zero')
    expect(farm.heldSlots.size).toBe(0)
  })

  it('does without a machine whose slot files cannot be used', async () => {
    const farm = new FakeFarm(clock, {})
    const take = (one: BuildMachine) => {
      if (one.name === 'a') throw new ConfigurationError({ code: 'slots-unusable', step: 'taking a build slot', problem: 'permission denied' })
      return farm.slots.take(one)
    }
    const { select } = setUp({}, { slots: { ...farm.slots, take } })
    const selection = await select(three)
    expect(selection).toMatchObject({ kind: 'chosen', machine: { name: 'b' } })
    expect(selection.verdicts[0]).toMatchObject({ code: 'slots-unusable', reason: 'taking a build slot: permission denied' })
  })

  it('has given everything back when aborted', async () => {
    const { farm, selector } = setUp({ a: { connectMs: 30_000 }, b: { probeMs: 30_000 }, c: { connectMs: 2_000, deaf: true } })
    const selecting = selector.select(request, three, { signal: controller.signal })
    selecting.catch(() => {})
    await clock.advance(1_000)
    expect([farm.open.size, farm.heldSlots.size]).toEqual([1, 3])
    controller.abort(new Error('told to stop'))
    await expect(selecting).rejects.toThrow('told to stop')
    expect(farm.heldSlots.size).toBe(0)
    await clock.advance(60_000)
    expect([farm.open.size, clock.pending]).toEqual([0, 0])
    await expect(selector.select(request, three, { signal: controller.signal })).rejects.toThrow('told to stop')
  })

  it('leaks nothing, whatever the machines do and whenever it is stopped', async () => {
    const ms = fc.oneof(fc.integer({ min: 0, max: 500 }), fc.constant(20_000))
    const fault: fc.Arbitrary<Behaviour> = fc.oneof(
      { weight: 4, arbitrary: fc.constant({}) },
      { weight: 3, arbitrary: fc.record({ connectError: fc.constantFrom(refused('x'), new TypeError('a bug in a transport')) }) },
      { weight: 2, arbitrary: fc.constant({ probeError: refused('x') }) },
      { weight: 1, arbitrary: fc.constant({ connectError: refused('x', 'later') }) },
      { weight: 2, arbitrary: fc.record({ output: fc.constantFrom('', 'noise', probeOutput({ load: '8' }), probeOutput({ freeKiB: 1 })) }) },
      { weight: 1, arbitrary: fc.constant({ taken: 1 }) },
    )
    const times = fc.record({ connectMs: ms, deaf: fc.boolean(), probeMs: ms })
    const behaviour = fc.tuple(times, fault).map(([before, after]): Behaviour => ({ ...before, ...after }))
    const names = ['a', 'b', 'c', 'd', 'e']
    const farms = fc.dictionary(fc.constantFrom(...names), behaviour)
    const some = fc.oneof(fc.constant<string[]>([]), fc.subarray(names))
    const count = { chosen: 0, none: 0, busy: 0, disabled: 0, unreachable: 0, aborted: 0 }
    await fc.assert(
      fc.asyncProperty(farms, fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 1_500 }) }), fc.integer({ min: 1, max: 3 }), some, some, async (behaviours, abortAt, maxRunning, disabled, due) => {
        clock = new FakeClock()
        const abort = new AbortController()
        const farm = new FakeFarm(clock, behaviours)
        const memory = new SharedMemory()
        for (const name of disabled) memory.disabled.set(name, { since: 0 })
        for (const name of due) memory.troubles.set(name, trouble(clock.now(), { until: clock.now() - 1 }))
        const selector = new MachineSelector(
          { connect: farm.connect, slots: farm.slots, strategy: bySpeed, clock, random: () => 0, health: memory.health(clock) },
          { ...defaultSelectionPolicy, maxRunning },
        )
        if (abortAt !== null) clock.after(abortAt, () => abort.abort(new Error('enough')))
        const machines = Object.keys(behaviours).map((name, index) => machine(name, { parallelBuilds: 1 + (index % 2), speed: index }))
        const selection = await clock.drive(selector.select(request, machines, { signal: abort.signal })).catch((error: unknown) => {
          if ((error as Error).message !== 'enough') throw error
          return undefined
        })
        count[selection?.kind ?? 'aborted'] += 1
        await expectNothingLeft({ clock, farm, memory, signal: abort.signal }, machines, selection)
      }),
      { numRuns: 300 },
    )
    // The scripts must be varied enough to mean something.
    expect(Math.min(...Object.values(count))).toBeGreaterThan(0)
  })
})
