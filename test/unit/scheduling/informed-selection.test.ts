/** How machines are chosen by a strategy that wants to know more than is at hand. */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { MachineError } from '../../../src/errors/offload-error.js'
import type { BuildMachine, BuildRequest, Candidate, RankContext, SchedulingStrategy, StrategyNeeds } from '../../../src/plugin-api/index.js'
import type { InputPorts } from '../../../src/scheduling/gather-inputs.js'
import { defaultSelectionPolicy, MachineSelector, type Selection, type SelectionOptions, type SelectionPorts } from '../../../src/scheduling/machine-selector.js'
// Loaded on first use, which takes time that the test's clock does not know of.
import '../../../src/scheduling/enquiry.js'
import '../../../src/scheduling/gather-candidates.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeClock } from './fake-clock.js'
import { FakeFarm, probeOutput, type Behaviour } from './fake-farm.js'
import { SharedMemory } from './fake-health.js'
import { expectNothingLeft } from './nothing-left.js'

const request: BuildRequest = { derivation: '/gnu/store/x.drv', system: 'x86_64-linux', features: [], wantsLocal: false }
const refused = (name: string) => new MachineError({ code: 'connection-refused', step: 'connecting', problem: 'refused', machine: name })

/** The idlest first; keeps what it was told. */
class Curious implements SchedulingStrategy {
  readonly name = 'curious'
  told: readonly Candidate[] = []
  context: RankContext | undefined

  constructor(readonly needs: StrategyNeeds | undefined) {}

  rank(_request: BuildRequest, candidates: readonly Candidate[], context: RankContext) {
    this.told = candidates
    this.context = context
    const load = ({ probe }: Candidate) => probe?.load ?? 100
    return [...candidates].sort((a, b) => load(a) - load(b)).map((candidate) => ({ candidate, score: -load(candidate), reason: `load ${load(candidate)}` }))
  }
}

let clock: FakeClock
let controller: AbortController
beforeEach(() => {
  clock = new FakeClock()
  controller = new AbortController()
})

function setUp(behaviours: Record<string, Behaviour>, needs: StrategyNeeds | undefined = { probes: 'all' }, ports: Partial<SelectionPorts> = {}) {
  const farm = new FakeFarm(clock, behaviours)
  const memory = new SharedMemory()
  const strategy = new Curious(needs)
  const selector = new MachineSelector({ connect: farm.connect, slots: farm.slots, strategy, clock, random: () => 0, health: memory.health(clock), ...ports })
  const select = (machines: readonly BuildMachine[] = three, options: Partial<SelectionOptions> = {}) => clock.drive(selector.select(request, machines, { signal: controller.signal, ...options }))
  const told = (name: string) => strategy.told.find((candidate) => candidate.machine.name === name)
  return { farm, memory, strategy, select, told }
}

const codes = ({ verdicts }: Selection) => verdicts.map(({ machine: { name }, code }) => `${name} ${code}`)
const three = [machine('a'), machine('b'), machine('c')]
const load = (figure: string): Behaviour => ({ output: probeOutput({ load: figure }) })

describe('a strategy that needs all probes', () => {
  it('gets them from machines that are asked side by side, and the one chosen is connected to once', async () => {
    const { farm, select, told } = setUp({ a: load('2.00'), b: load('0.20'), c: load('1.00') })
    const selection = await select()
    if (selection.kind !== 'chosen') return expect.unreachable()
    expect(selection.machine.name).toBe('b')
    expect(farm.log).toEqual(['0 connect a', '0 connect b', '0 connect c'])
    expect(clock.now()).toBe(1_000_015)
    expect(['a', 'b', 'c'].map((name) => told(name)?.probe?.load)).toEqual([2, 0.2, 1])
    expect(told('a')?.roundTripMs).toBe(1)
    expect(farm.open).toEqual(new Set([selection.connection]))
    expect(farm.heldSlots).toEqual(new Set([selection.slot]))
    // What it ranked by is said once, and of every machine.
    expect(selection.verdicts.map(({ reason }) => reason)).toEqual(['not needed, b was chosen: load 2', 'load 0.2, 47 GiB free', 'not needed, b was chosen: load 1'])
    await selection.release()
    expect(farm.open.size + farm.heldSlots.size + clock.pending).toBe(0)
  })

  it('is not told of those that cannot take the build, which get their verdicts', async () => {
    const { farm, select, strategy, memory } = setUp({ a: load('3.90'), b: { connectError: refused('b:22') }, c: load('1.00') })
    const selection = await select()
    expect(codes(selection)).toEqual(['a overloaded', 'b unreachable', 'c chosen'])
    expect(strategy.told.map(({ machine: { name } }) => name)).toEqual(['c'])
    expect([...memory.troubles.keys()]).toEqual(['b'])
    expect([farm.open.size, farm.heldSlots.size]).toEqual([1, 1])
  })

  it('asks nobody again who has answered a moment ago', async () => {
    const { farm, select, told } = setUp({ a: load('2.00'), b: load('0.20'), c: load('1.50') })
    const first = await select()
    farm.log.length = 0
    await clock.advance(5_000)
    const many = three.map((described) => ({ ...described, parallelBuilds: 4 }))
    const second = await select(many)
    expect(farm.log).toEqual(['5015 connect b'])
    // One was sent to b since, by the slots: its load counts it.
    expect([told('b')?.probe?.load, told('b')?.startedSince, told('a')?.startedSince]).toEqual([1.2, 1, undefined])
    await clock.advance(10_000)
    farm.log.length = 0
    const third = await select(many)
    expect(farm.log).toHaveLength(3)
    for (const selection of [first, second, third]) if (selection.kind === 'chosen') await selection.release()
    expect(farm.open.size).toBe(0)
  })

  it('does not wait long for those that are slow to answer, but uses them if the others are no use', async () => {
    const { farm, select, told } = setUp({ a: { connectMs: 5_000 }, b: { connectMs: 30_000 }, c: {} })
    const selection = await select()
    expect(selection).toMatchObject({ kind: 'chosen', machine: { name: 'c' } })
    expect(clock.now()).toBe(1_000_000 + defaultSelectionPolicy.headStartMs)
    expect([told('a')?.probe, told('c')?.probe?.load]).toEqual([undefined, 0.1])
    await clock.advance(60_000)
    expect([farm.open.size, farm.heldSlots.size, clock.pending]).toEqual([1, 1, 0])
    if (selection.kind === 'chosen') await selection.release()

    const again = setUp({ a: { connectMs: 5_000 }, b: { connectMs: 30_000 }, c: load('3.90') })
    const began = clock.now()
    const late = await again.select()
    expect(late).toMatchObject({ kind: 'chosen', machine: { name: 'a' } })
    // A second more than the first one of use, for b.
    expect(clock.now() - began).toBe(6_005)
    expect(again.farm.log.filter((line) => line.endsWith('connect a'))).toHaveLength(1)
    if (late.kind === 'chosen') await late.release()
    await clock.advance(60_000)
    expect(again.farm.open.size).toBe(0)
  })

  it('waits for nobody twice: who was slow is asked without being waited for', async () => {
    const { select, memory } = setUp({ a: { connectMs: 30_000 } })
    const first = await select()
    await clock.advance(1)
    expect([...memory.slow.keys()]).toEqual(['a'])
    if (first.kind === 'chosen') await first.release()
    await clock.advance(10_001)
    const began = clock.now()
    const second = await select()
    expect(second.kind).toBe('chosen')
    expect(clock.now() - began).toBe(15)
    if (second.kind === 'chosen') await second.release()
  })

  it('ends with the deadline, whoever has not answered', async () => {
    const { farm, select } = setUp({ a: { connectMs: 60_000 }, b: { connectMs: 60_000 }, c: { connectMs: 60_000 } })
    const selection = await select(three, { deadlineMs: 3_000 })
    expect(selection.kind).toBe('unreachable')
    expect(clock.now()).toBe(1_003_000)
    expect(codes(selection)).toEqual(['a unreachable', 'b unreachable', 'c unreachable'])
    await clock.advance(60_000)
    expect([farm.open.size, farm.heldSlots.size, clock.pending]).toEqual([0, 0, 0])
  })

  it('leaves nothing open when it fails', async () => {
    const failing: SchedulingStrategy = { name: 'failing', needs: { probes: 'all' }, rank: () => Promise.reject(new Error('a bug in a strategy')) }
    const { farm, select } = setUp({}, undefined, { strategy: failing })
    await expect(select()).rejects.toThrow('a bug in a strategy')
    await clock.advance(60_000)
    expect([farm.open.size, farm.heldSlots.size, clock.pending]).toEqual([0, 0, 0])
  })

  it('leaves nothing open, whatever the machines do and whenever it is stopped', async () => {
    const ms = fc.oneof(fc.integer({ min: 0, max: 500 }), fc.constant(20_000))
    const fault = fc.oneof<fc.Arbitrary<Behaviour>[]>(fc.constant({}), fc.constant({ connectError: refused('x') }), fc.constant({ probeError: refused('x') }), fc.constant(load('8')), fc.constant({ taken: 1 }))
    const behaviour = fc.tuple(fc.record({ connectMs: ms, deaf: fc.boolean(), probeMs: ms }), fault).map(([times, what]): Behaviour => ({ ...times, ...what }))
    const abortAt = fc.option(fc.integer({ min: 0, max: 1_500 }), { freq: 3 })
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), behaviour), abortAt, fc.integer({ min: 1, max: 3 }), async (behaviours, stop, maxAsked) => {
        clock = new FakeClock()
        const abort = new AbortController()
        const farm = new FakeFarm(clock, behaviours)
        const memory = new SharedMemory()
        const ports = { connect: farm.connect, slots: farm.slots, strategy: new Curious({ probes: 'all' }), clock, random: () => 0, health: memory.health(clock) }
        const selector = new MachineSelector(ports, { ...defaultSelectionPolicy, maxAsked })
        if (stop !== null) clock.after(stop, () => abort.abort(new Error('enough')))
        const machines = Object.keys(behaviours).map((name) => machine(name))
        const selection = await clock.drive(selector.select(request, machines, { signal: abort.signal })).catch(() => undefined)
        await expectNothingLeft({ clock, farm, memory, signal: abort.signal }, machines, selection)
      }),
      { numRuns: 150 },
    )
  })
})

describe('a strategy that needs inputs', () => {
  const inputs: InputPorts = {
    sizes: async () => new Map([['/gnu/store/x', 1000]]),
    believed: async ({ name }) => ({ has: () => name === 'b' }),
    bytesPerSecond: async () => 500,
    expectedSeconds: async () => 77,
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
  }

  it('is told what each machine has, without asking it', async () => {
    const { farm, select, told, strategy } = setUp({}, { inputs: true }, { inputs })
    const selection = await select()
    expect([told('a'), told('b')]).toMatchObject([{ presentBytes: 0, missingBytes: 1000, bytesPerSecond: 500 }, { presentBytes: 1000, missingBytes: 0 }])
    expect(strategy.context?.expectedSeconds).toBe(77)
    expect(farm.log).toHaveLength(1)
    if (selection.kind === 'chosen') await selection.release()
  })

  it('is told less where nobody can tell', async () => {
    const { select, told, strategy } = setUp({}, { inputs: true })
    const selection = await select()
    expect(told('a')?.missingBytes).toBeUndefined()
    expect(strategy.context?.expectedSeconds).toBeUndefined()
    if (selection.kind === 'chosen') await selection.release()
  })
})

describe('who would emulate', () => {
  it('is told by what the machine says, or by its list', async () => {
    const output = (architecture: string) => probeOutput().replace('%%end', `%%architecture\n${architecture}\n%%end`)
    const both = ['x86_64-linux', 'aarch64-linux']
    const { select, told } = setUp({ a: { output: output('aarch64') }, b: { output: output('x86_64') }, c: { connectMs: 30_000 } })
    const selection = await select([machine('a', { systems: both }), machine('b', { systems: both }), machine('c', { systems: ['aarch64-linux', 'x86_64-linux'] })])
    expect([told('a')?.emulated, told('b')?.emulated, told('c')?.emulated]).toEqual([true, undefined, true])
    if (selection.kind === 'chosen') await selection.release()
  })

  it('is not asked for a strategy that needs nothing', async () => {
    const strategy = new Curious(undefined)
    const { farm, select } = setUp({}, undefined, { strategy })
    const selection = await select([machine('a', { systems: ['aarch64-linux', 'x86_64-linux'] })])
    expect(strategy.told).toEqual([{ machine: expect.objectContaining({ name: 'a' }) as unknown, freeSlots: 1, probe: undefined, startedSince: undefined }])
    expect(farm.log).toHaveLength(1)
    if (selection.kind === 'chosen') await selection.release()
  })
})
