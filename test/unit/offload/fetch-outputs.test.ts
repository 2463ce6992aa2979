import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { MachineError } from '../../../src/errors/offload-error.js'
import { fetchOutputs } from '../../../src/offload/fetch-outputs.js'
import type { Consumer } from '../../../src/protocol/consumer.js'
import { scratchFolders } from '../../support/scratch.js'
import { FakeStores } from './fake-stores.js'

const scratch = scratchFolders()

function scene() {
  const stores = new FakeStores(scratch())
  return { stores, outputs: [stores.path('one'), stores.path('two')] as const }
}

/** A machine that sends the second output in its own way. */
function secondSent(stores: FakeStores, second: string, send: (onData: Consumer) => Promise<void>) {
  const good = stores.remote([])
  return stores.remote([], { exportItem: (path, onData) => (path === second ? send(onData) : good.exportItem(path, onData)) })
}

async function pour(member: AsyncIterable<Buffer>, onData: Consumer): Promise<void> {
  for await (const chunk of member) await onData(chunk)
}

describe('fetching outputs', () => {
  it('puts all of them in place, each first under a protected temporary name', async () => {
    const { stores, outputs } = scene()
    const transfer = await fetchOutputs(outputs, 'b1', stores.remote([]), stores.local(), stores.ports())
    expect(transfer).toMatchObject({ items: 2 })
    expect(transfer.bytes).toBeGreaterThan(0)
    for (const output of outputs) expect(readFileSync(output, 'utf8')).toBe('made there')
    expect(stores.events).toEqual([
      "> retrieving 2 store items from 'b1'...",
      'local: root TEMPORARY', 'export one',
      'local: root TEMPORARY', 'export two',
    ])
    expect(stores.strangers(...outputs)).toEqual([])
    expect(stores.journals()).toEqual([])
  })

  const stranger = { key: 'stranger' }
  it.each<[string, string, (stores: FakeStores, second: string, onData: Consumer) => Promise<void>]>([
    ['signed by a key that is not in the acl', 'unauthorized-key', (stores, second, onData) => pour(stores.member(second, stranger), onData)],
    ['not signed', 'unsigned-item', (stores, second, onData) => pour(stores.unsignedMember(second), onData)],
    ['another item', 'unexpected-item', (stores, _second, onData) => pour(stores.member(stores.path('three')), onData)],
    ['changed on the way', 'hash-mismatch', async (stores, second, onData) => {
      const chunks: Buffer[] = []
      await pour(stores.member(second), (bytes) => void chunks.push(Buffer.from(bytes)))
      const whole = Buffer.concat(chunks)
      whole.write('MADE THERE', whole.indexOf('made there'))
      await onData(whole)
    }],
    ['cut off', 'truncated-data', async (stores, second, onData) => {
      for await (const chunk of stores.member(second)) return void (await onData(chunk.subarray(0, 100)))
    }],
    ['lost with the connection', 'connection-lost', async (stores, second, onData) => {
      for await (const chunk of stores.member(second)) {
        await onData(chunk.subarray(0, 100))
        break
      }
      throw new MachineError({ code: 'connection-lost', step: 'fetching', problem: 'gone' })
    }],
  ])('puts none in place if one is %s', async (_what, code, send) => {
    const { stores, outputs } = scene()
    const remote = secondSent(stores, outputs[1], (onData) => send(stores, outputs[1], onData))
    await expect(fetchOutputs(outputs, 'b1', remote, stores.local(), stores.ports())).rejects.toMatchObject({ code })
    // It came so far: the first one had arrived in good order.
    expect(stores.events).toContain('export one')
    expect(stores.strangers()).toEqual([])
    expect(stores.journals()).toEqual([])
  })

  it('writes nothing before the name is protected', async () => {
    const { stores, outputs } = scene()
    const local = stores.local({ addTempRoot: () => Promise.reject(new Error('no root')) })
    await expect(fetchOutputs(outputs, 'b1', stores.remote([]), local, stores.ports())).rejects.toThrow('no root')
    expect(stores.events).not.toContain('export one')
    expect(stores.strangers()).toEqual([])
    expect(stores.journals()).toEqual([])
  })

  it('asks the machine for nothing if the acl cannot be read', async () => {
    const { stores, outputs } = scene()
    const ports = stores.ports({ loadAcl: () => Promise.reject(new Error('no acl')) })
    await expect(fetchOutputs(outputs, 'b1', stores.remote([]), stores.local(), ports)).rejects.toThrow('no acl')
    expect(stores.events).toEqual(["> retrieving 2 store items from 'b1'..."])
  })

  it('blames this machine when an output cannot be moved into place, and keeps no temporary', async () => {
    const { stores, outputs } = scene()
    mkdirSync(outputs[1])
    writeFileSync(`${outputs[1]}/in-the-way`, '')
    await expect(fetchOutputs(outputs, 'b1', stores.remote([]), stores.local(), stores.ports())).rejects.toMatchObject({ retry: 'never' })
    expect(stores.strangers(...outputs)).toEqual([])
    expect(stores.journals()).toEqual([])
  })
})
