import { describe, expect, it } from 'vitest'
import { MachineError } from '../../../src/errors/offload-error.js'
import { employMachines } from '../../../src/offload/employ-machines.js'
import type { ListMachines } from '../../../src/offload/list-machines.js'
import type { BuildMachine } from '../../../src/plugin-api/index.js'
import type { Disabled } from '../../../src/state/disabled-files.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeClock } from '../scheduling/fake-clock.js'
import { SharedMemory } from '../scheduling/fake-health.js'

const now = 1_000_000
const { signal } = new AbortController()
const ann: Disabled = { since: now, by: 'ann' }

function setUp(running: Readonly<Record<string, number[]>> = {}) {
  const clock = new FakeClock()
  const memory = new SharedMemory()
  const health = memory.health(clock)
  const machines = [machine('b1'), machine('b2'), machine('b1', { systems: ['i686-linux'] })]
  const list: ListMachines = { run: async () => ({ machines, warnings: [{ code: 'odd', message: 'odd' }], failures: [], engines: {} }) }
  const employ = employMachines(list, {
    health,
    disabled: {
      disable: ({ name }: BuildMachine, disabled: Disabled) => void memory.disabled.set(name, disabled),
      enable: ({ name }: BuildMachine) => void memory.disabled.delete(name),
    },
    running: ({ name }) => ({ builds: running[name]?.[0] ?? 0, pids: [] }),
    async pause(_milliseconds, stop) {
      stop.throwIfAborted()
      for (const left of Object.values(running)) left.shift()
    },
  })
  return { clock, memory, health, machines, employ }
}

describe('which machines builds go to', () => {
  it('is for people to say, for each machine once', async () => {
    const { employ, memory } = setUp({ b1: [2] })
    const { machines, warnings } = await employ.disable(['b*'], ann, false, signal)
    expect(machines.map(({ machine: { name }, before, after, running }) => [name, before.outlook.state, after.outlook.state, running.builds])).toEqual([
      ['b1', 'well', 'disabled', 2], ['b2', 'well', 'disabled', 0],
    ])
    expect(warnings).toHaveLength(1)
    await employ.disable(['b1'], { ...ann, until: now + 1000 }, true, signal)
    expect(memory.disabled.get('b1'), 'kept').toEqual(ann)
    await employ.disable(['b1'], { ...ann, until: now + 1000 }, false, signal)
    expect(memory.disabled.get('b1')).toEqual({ ...ann, until: now + 1000 })
  })

  it('is all of them again, with their past forgotten', async () => {
    const { clock, employ, memory, health, machines: [b1 = machine('b1')] } = setUp()
    health.failed(b1, 'reach', new MachineError({ code: 'connection-refused', step: 'connecting', problem: 'refused' }), clock.now())
    health.hesitated(b1)
    memory.disabled.set('b1', ann)
    const { machines: [change] } = await employ.enable(['b1'], signal)
    expect([change?.before.disabled, change?.before.setAside?.code, change?.after.outlook]).toEqual([ann, 'connection-refused', { state: 'well', slow: false }])
    expect(memory.troubles.size + memory.slow.size + memory.disabled.size).toBe(0)
  })

  it('changes nothing if one of the names is wrong', async () => {
    const { employ, memory } = setUp()
    await expect(employ.disable(['b1', 'b9'], ann, false, signal)).rejects.toMatchObject({ code: 'machine-unknown' })
    expect(memory.disabled.size).toBe(0)
  })

  it('can be waited for until nothing runs there', async () => {
    const { employ, machines } = setUp({ b1: [2, 1, 0, 1], b2: [1, 1, 1, 0] })
    const idle: string[] = []
    await employ.idle(machines.slice(0, 2), ({ name }) => idle.push(name), signal)
    expect(idle).toEqual(['b1', 'b2'])
    const stop = new AbortController()
    stop.abort(new Error('enough'))
    await expect(setUp({ b1: [1] }).employ.idle(machines.slice(0, 1), () => undefined, stop.signal)).rejects.toThrow('enough')
  })
})
