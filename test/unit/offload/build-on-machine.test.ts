import { describe, expect, it } from 'vitest'
import { buildOnMachine, newRecord } from '../../../src/offload/build-on-machine.js'
import { PhaseTimer } from '../../../src/offload/phases.js'
import type { Connection } from '../../../src/plugin-api/index.js'
import { scratchFolders } from '../../support/scratch.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeStores } from './fake-stores.js'

const scratch = scratchFolders()

describe('building on a machine', () => {
  it('asks the machine for nothing if the list of keys cannot be read, and closes both stores', async () => {
    const stores = new FakeStores(scratch())
    const output = stores.path('hello')
    const task = stores.task(stores.derivation('hello', [output], []), [], [output])
    const ports = stores.ports({ loadAcl: () => Promise.reject(new Error('no acl')) })
    const description = machine('b1')
    const building = buildOnMachine(task, description, { machine: description } as Connection, ports, () => undefined, newRecord(new PhaseTimer(() => 0)), new AbortController().signal)
    await expect(building).rejects.toThrow('no acl')
    expect(stores.events.filter((event) => !event.includes('close'))).toEqual([])
  })
})
