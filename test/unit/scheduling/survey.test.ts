import { beforeEach, describe, expect, it } from 'vitest'
import { MachineError } from '../../../src/errors/offload-error.js'
import type { BuildMachine, BuildRequest, SchedulingStrategy } from '../../../src/plugin-api/index.js'
import type { Trouble } from '../../../src/state/health-files.js'
import { MachineSelector } from '../../../src/scheduling/machine-selector.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeClock, settled } from './fake-clock.js'
import { FakeFarm, probeOutput, type Behaviour } from './fake-farm.js'
import { SharedMemory } from './fake-health.js'

const request: BuildRequest = { derivation: '/gnu/store/x.drv', system: 'x86_64-linux', features: [], wantsLocal: false }
const bySpeed: SchedulingStrategy = {
  name: 'by-speed',
  rank: (_request, candidates) =>
    [...candidates].sort((a, b) => b.machine.speed - a.machine.speed).map((candidate) => ({ candidate, score: candidate.machine.speed, reason: `speed ${candidate.machine.speed}` })),
}
const refused = (name: string) => new MachineError({ code: 'connection-refused', step: 'connecting', problem: 'refused', machine: name })

let clock: FakeClock
let controller: AbortController

beforeEach(() => {
  clock = new FakeClock()
  controller = new AbortController()
})

const trouble = (rest: Partial<Trouble> = {}): Trouble => {
  const now = clock.now()
  return { failures: 1, since: now - 1000, at: now - 1000, until: now + 30_000, stage: 'reach', code: 'connection-refused', reason: 'connecting: refused', passed: false, ...rest }
}

function setUp(behaviours: Record<string, Behaviour>) {
  const farm = new FakeFarm(clock, behaviours)
  const memory = new SharedMemory()
  const selector = new MachineSelector({ connect: farm.connect, slots: farm.slots, strategy: bySpeed, clock, random: () => 0, health: memory.health(clock) })
  const survey = (machines: readonly BuildMachine[]) => clock.drive(selector.survey(request, machines, { signal: controller.signal, machineMs: 40_000 }))
  const select = (machines: readonly BuildMachine[]) => clock.drive(selector.select(request, machines, { signal: controller.signal }))
  return { farm, memory, selector, survey, select }
}

describe('a survey', () => {
  const everyKind: Record<string, Behaviour> = {
    busy: { output: probeOutput({ load: '9' }) },
    full: { taken: 1 },
    refusing: { connectError: refused('refusing:22') },
    silent: { connectMs: 900_000 },
    sick: { output: 'go away\n' },
  }
  const machines = [
    machine('other', { systems: ['aarch64-linux'] }), machine('resting', { speed: 9 }),
    ...Object.keys(everyKind).map((name) => machine(name, { speed: 8 })), machine('slow', { speed: 1 }), machine('fast', { speed: 3 }),
  ]

  it('says of every machine what a selection would, and asks also those that one would pass over', async () => {
    const { farm, memory, survey } = setUp(everyKind)
    memory.setTrouble(machine('resting'), trouble())
    const { kind, machine: winner, findings } = await survey(machines)
    expect([kind, winner?.name]).toEqual(['chosen', 'fast'])
    expect(findings.map(({ verdict: { machine: { name }, code, reason }, ranked }) => `${ranked?.place ?? '-'} ${name} ${code}: ${reason.replace(/\d\d:\d\d:\d\d/g, 'TIME')}`)).toEqual([
      '- other unsuited: builds for aarch64-linux only',
      '- resting resting: set aside until TIME: connecting: refused at TIME',
      '1 busy overloaded: load 1.00, must be below 0.80',
      '- full slots-taken: 1 of 1 slots taken',
      '2 refusing unreachable: connect: connecting: refused',
      '3 silent unreachable: connect: asking the machine: no answer within 40 s',
      '4 sick probe-failed: probe: checking load and disk: the shell ended with status 0 (expected load, processors and free space, seen "go away")',
      '6 slow not-needed: speed 1, load 0.03, 47 GiB free',
      '5 fast chosen: speed 3, load 0.03, 47 GiB free',
    ])
    const answering = findings.flatMap(({ verdict, asked }) => (asked !== undefined && 'probe' in asked ? [verdict.machine.name] : []))
    expect(answering).toEqual(['resting', 'full', 'slow', 'fast'])
    // The slowest one, and nobody waited for anybody.
    expect(clock.now() - 1_000_000).toBe(40_000)
    expect([farm.open.size, farm.heldSlots.size, clock.pending]).toEqual([0, 0, 0])
  })

  it('changes nothing of what is remembered', async () => {
    const { memory, survey } = setUp(everyKind)
    memory.setTrouble(machine('resting'), trouble())
    const before = JSON.stringify([...machines].map((each) => [memory.trouble(each), memory.lastProbe(each), memory.slowness(each)]))
    await survey(machines)
    expect(JSON.stringify([...machines].map((each) => [memory.trouble(each), memory.lastProbe(each), memory.slowness(each)]))).toBe(before)
  })

  it.each<[string, readonly BuildMachine[], string]>([
    ['nobody suits', [machine('other', { systems: ['aarch64-linux'] })], 'none'],
    ['there is nobody', [], 'none'],
    ['one is busy', [machine('busy'), machine('refusing')], 'busy'],
    ['none answers', [machine('refusing'), machine('sick')], 'unreachable'],
    ['one is fit', [machine('full'), machine('slow')], 'chosen'],
    ['one is set aside', [machine('resting')], 'unreachable'],
  ])('comes to what a selection comes to when %s', async (_name, list, kind) => {
    const { memory, survey, select } = setUp(everyKind)
    memory.setTrouble(machine('resting'), trouble())
    const { kind: surveyed, findings } = await survey(list)
    const selection = await select(list)
    expect([surveyed, selection.kind]).toEqual([kind, kind])
    expect(findings.map(({ verdict: { code } }) => code)).toEqual(selection.verdicts.map(({ code }) => code))
    if (selection.kind === 'chosen') await selection.release()
  })

  it.each([[500, 'chosen'], [5_000, 'resting']])('of a machine that is due again and answers in %i ms: %s', async (connectMs, code) => {
    const { memory, survey, select } = setUp({ due: { connectMs } })
    memory.setTrouble(machine('due'), trouble({ until: clock.now() }))
    const { findings } = await survey([machine('due')])
    const { verdicts } = await select([machine('due')])
    expect([findings[0]?.verdict.code, verdicts[0]?.code]).toEqual([code, code])
    expect(findings[0]?.asked).toHaveProperty('probe')
  })

  it('takes a machine that answers at once before a better one that did not lately', async () => {
    const { memory, survey } = setUp({})
    memory.setSlowness(machine('fast'), { times: 1, until: clock.now() + 10_000 })
    const { machine: winner, findings } = await survey([machine('fast', { speed: 3 }), machine('slow')])
    expect(winner?.name).toBe('slow')
    expect(findings[0]?.verdict.reason).toBe('speed 3, load 0.03, 47 GiB free, but it did not answer at once lately')
  })

  it('ends when it is told to, with nothing left open', async () => {
    const { farm, selector } = setUp(everyKind)
    const surveying = selector.survey(request, machines, { signal: controller.signal, machineMs: 40_000 })
    surveying.catch(() => undefined)
    await clock.advance(1_000)
    controller.abort(new Error('interrupted'))
    await expect(surveying).rejects.toThrow('interrupted')
    await settled()
    expect([farm.open.size, farm.heldSlots.size, clock.pending]).toEqual([0, 0, 0])
  })
})
