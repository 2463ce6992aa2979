import { describe, expect, it } from 'vitest'
import { buildOnMachine, newRecord, type MachineBuild } from '../../../src/offload/build-on-machine.js'
import { MachineError } from '../../../src/errors/offload-error.js'
import { PhaseTimer } from '../../../src/offload/phases.js'
import type { OffloadTask } from '../../../src/offload/task.js'
import type { Connection } from '../../../src/plugin-api/index.js'
import { scratchFolders } from '../../support/scratch.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeStores } from './fake-stores.js'

const scratch = scratchFolders()
const description = machine('b1')
const buildOf = (task: OffloadTask): MachineBuild => ({
  task, machine: description, connection: { machine: description } as Connection, buildLog: () => undefined, record: newRecord(new PhaseTimer(() => 0)),
})

describe('building on a machine', () => {
  it('asks the machine for nothing if the list of keys cannot be read, and closes both stores', async () => {
    const stores = new FakeStores(scratch())
    const output = stores.path('hello')
    const task = stores.task(stores.derivation('hello', [output], []), [], [output])
    const ports = stores.ports({ loadAcl: () => Promise.reject(new Error('no acl')) })
    const building = buildOnMachine(buildOf(task), ports, new AbortController().signal)
    await expect(building).rejects.toThrow('no acl')
    expect(stores.events.filter((event) => !event.includes('close'))).toEqual([])
  })

  // Regression: a collection between the question what is missing and the import failed the build.
  describe('what a collection takes after the machine was asked for it', () => {
    const gone = (code: string) => () => Promise.reject(new MachineError({ code, machine: 'b1', step: 'sending store items', problem: 'path is not valid' }))
    const scene = (failures: number, code: string) => {
      const stores = new FakeStores(scratch())
      const output = stores.path('hello')
      const far = stores.item('far')
      const near = stores.item('near', [far])
      const derivation = stores.derivation('hello', [output], [near])
      let opened = 0
      const openRemoteStore = async () => {
        opened += 1
        return opened <= failures ? stores.remote([near], { importBundle: gone(code) }) : stores.remote([near, far])
      }
      const task = stores.task(derivation, [derivation, near, far], [output])
      const run = () => buildOnMachine(buildOf(task), stores.ports({ openRemoteStore }), new AbortController().signal)
      return { stores, run }
    }

    it.each(['reference-missing', 'inputs-missing'])('is sent in the next attempt, in which all inputs are protected: %s', async (code) => {
      const { stores, run } = scene(1, code)
      await run()
      const kept = stores.events.filter((event) => event.startsWith('keep'))
      expect(kept).toEqual(['keep hello.drv near', 'keep hello.drv near far'])
      expect(stores.events).toContain('import far near')
      expect(stores.events.filter((event) => event.includes('collected garbage'))).toEqual(["> 'b1' has collected garbage meanwhile (path is not valid); sending what it lacks now"])
      expect(stores.events.filter((event) => event === 'close')).toHaveLength(2)
    })

    it('fails the machine at last', async () => {
      const { stores, run } = scene(9, 'reference-missing')
      await expect(run()).rejects.toMatchObject({ code: 'reference-missing' })
      expect(stores.events.filter((event) => event.startsWith('keep'))).toHaveLength(3)
      expect(stores.events.filter((event) => event === 'close')).toHaveLength(3)
    })

    it('anything else is not tried again on the same machine', async () => {
      const { stores, run } = scene(1, 'disk-full')
      await expect(run()).rejects.toMatchObject({ code: 'disk-full' })
      expect(stores.events.filter((event) => event.startsWith('keep'))).toHaveLength(1)
    })
  })
})
