import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { ConfigurationError, MachineError } from '../../../src/errors/offload-error.js'
import type { BuildMachine, BuildRequest, SchedulingStrategy } from '../../../src/plugin-api/index.js'
import { defaultSelectionPolicy, MachineSelector, type Selection, type SelectionPorts } from '../../../src/scheduling/machine-selector.js'
import { clockTime } from '../../../src/scheduling/clock-time.js'
import type { Trouble } from '../../../src/state/health-files.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeClock, settled } from './fake-clock.js'
import { FakeFarm, probeOutput, type Behaviour } from './fake-farm.js'
import { SharedMemory } from './fake-health.js'

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
  const select = (machines: readonly BuildMachine[], tried?: ReadonlySet<string>) =>
    clock.drive(selector.select(request, machines, { signal: controller.signal, ...(tried === undefined ? {} : { tried }) }))
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
    const selection = await select([...three, machine('a', { speed: 9, port: 2222 })], new Set(['a:22', 'a:2222', 'b:22']))
    expect(codes(selection)).toEqual(['a tried-before', 'b tried-before', 'c chosen', 'a tried-before'])
    expect(farm.log).toEqual(['0 connect c'])
    expect((await select(three, new Set(['a:22', 'b:22', 'c:22']))).kind).toBe('unreachable')
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
    const farms = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), behaviour)
    const count = { chosen: 0, none: 0, busy: 0, unreachable: 0, aborted: 0 }
    await fc.assert(
      fc.asyncProperty(farms, fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 1_500 }) }), fc.integer({ min: 1, max: 3 }), async (behaviours, abortAt, maxRunning) => {
        clock = new FakeClock()
        const abort = new AbortController()
        const farm = new FakeFarm(clock, behaviours)
        const memory = new SharedMemory()
        for (const [index, name] of Object.keys(behaviours).entries()) {
          if (index % 3 === 2) memory.troubles.set(name, trouble(clock.now(), { until: clock.now() - 1 }))
        }
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
        const chosen = selection?.kind === 'chosen' ? selection : undefined
        expect(farm.heldSlots).toEqual(new Set(chosen === undefined ? [] : [chosen.slot]))
        if (selection !== undefined) expect(selection.verdicts.map((verdict) => verdict.machine)).toEqual(machines)
        await clock.advance(120_000)
        expect(farm.open).toEqual(new Set(chosen === undefined ? [] : [chosen.connection]))
        await chosen?.release()
        expect([farm.open.size, farm.heldSlots.size, memory.trials.size, clock.pending, getEventListeners(abort.signal, 'abort').length]).toEqual([0, 0, 0, 0, 0])
      }),
      { numRuns: 300 },
    )
    // The scripts must be varied enough to mean something.
    expect(Math.min(...Object.values(count))).toBeGreaterThan(0)
  })
})
