import { describe, expect, it } from 'vitest'
import { TrustError } from '../../../src/errors/offload-error.js'
import type { OffloadPorts } from '../../../src/offload/ports.js'
import { sendInputs } from '../../../src/offload/send-inputs.js'
import { scratchFolders } from '../../support/scratch.js'
import { machine as machineNamed } from '../machines/machine-fixture.js'
import { FakeStores } from './fake-stores.js'

const scratch = scratchFolders()

function scene() {
  const stores = new FakeStores(scratch())
  const base = stores.item('base')
  const tool = stores.item('tool', [base])
  const source = stores.item('source', [tool])
  const derivation = stores.derivation('hello', [stores.path('hello')], [source])
  // As guix-daemon names them: in no useful order.
  const task = stores.task(derivation, [source, derivation, tool, base], [])
  return { stores, base, tool, source, derivation, task }
}

const machine = machineNamed('b1')
const { signal } = new AbortController()

describe('sending inputs', () => {
  it('protects, then asks, then imports with references first, then adds the derivation', async () => {
    const { stores, base, tool, source, derivation, task } = scene()
    const remote = stores.remote([source, tool, base, derivation])
    expect(await sendInputs(task, machine, remote, stores.local(), stores.ports(), signal)).toEqual({ items: 4, bytes: 4000 })
    expect(stores.events).toEqual([
      'keep hello.drv source',
      'missing? source hello.drv tool base',
      "> guix offload: sending 4 store items (0 MiB) to 'b1'...",
      'import base tool source',
      'add text hello.drv',
    ])
  })

  it('asks for the derivation even if guix-daemon does not name it, and once if it does', async () => {
    const { stores, source, derivation } = scene()
    await sendInputs(stores.task(derivation, [source], []), machine, stores.remote([]), stores.local(), stores.ports(), signal)
    expect(stores.events).toEqual(['keep hello.drv source', 'missing? source hello.drv'])
  })

  it('sends nothing where nothing is missing, and loads no key for it', async () => {
    const { stores, task } = scene()
    const ports = stores.ports({ loadSigner: () => Promise.reject(new Error('no key needed')) })
    expect(await sendInputs(task, machine, stores.remote([]), stores.local(), ports, signal)).toEqual({ items: 0, bytes: 0 })
    expect(stores.events.filter((event) => !/^(keep|missing\?)/.test(event))).toEqual([])
  })

  it('needs no signature where only the derivation is missing', async () => {
    const { stores, derivation, task } = scene()
    const ports = stores.ports({ loadSigner: () => Promise.reject(new Error('no key needed')) })
    expect(await sendInputs(task, machine, stores.remote([derivation]), stores.local(), ports, signal)).toEqual({ items: 1, bytes: 1000 })
    expect(stores.events.slice(2)).toEqual(["> guix offload: sending 1 store item (0 MiB) to 'b1'...", 'add text hello.drv'])
  })

  it('has the local daemon sign where the key is not ours to read', async () => {
    const { stores, base, task } = scene()
    const remote = stores.remote([base], {
      importBundle: async (bundle) => {
        for await (const chunk of bundle()) expect(chunk.length).toBeGreaterThan(0)
      },
    })
    await sendInputs(task, machine, remote, stores.local(), stores.ports({ loadSigner: async () => undefined }), signal)
    expect(stores.events).toContain('local: export base')
  })

  it('adds no derivation after an import that failed, and names the first item if our key was refused', async () => {
    const { stores, base, tool, derivation, task } = scene()
    const refusal = new TrustError({ code: 'signing-key-not-authorized', machine: 'b1', step: 'sending store items', problem: 'refused' })
    const remote = stores.remote([tool, base, derivation], { importBundle: () => Promise.reject(refusal) })
    await expect(sendInputs(task, machine, remote, stores.local(), stores.ports(), signal)).rejects.toMatchObject({
      code: 'signing-key-not-authorized', retry: 'other-machine', report: { machine: 'b1', subject: base, problem: 'refused' },
    })
    expect(stores.events).not.toContain('add text hello.drv')
  })

  it('refuses a machine that gives the derivation another path', async () => {
    const { stores, derivation, task } = scene()
    const remote = stores.remote([derivation], { addText: async () => '/elsewhere/00000000000000000000000000000000-hello.drv' })
    await expect(sendInputs(task, machine, remote, stores.local(), stores.ports(), signal)).rejects.toMatchObject({ code: 'store-path-differs', report: { expected: derivation } })
  })

  it('takes a turn for what is large, and asks again what is missing if it had to wait', async () => {
    const stores = new FakeStores(scratch())
    const [large, small] = [stores.item('large'), stores.item('small')]
    const derivation = stores.derivation('hello', [stores.path('hello')], [large, small])
    const answers = [[derivation, large, small], [derivation, small]]
    const remote = stores.remote([derivation], { missing: async () => answers.shift() ?? [] })
    const sizes = new Map([[large, 2 ** 20], [small, 2 ** 20 - 1]])
    const local = stores.local()
    const sized = { ...local, pathInfo: async (path: string) => ({ ...(await local.pathInfo(path)), narSize: sizes.get(path) ?? 1000 }) }
    const sendingTurns: OffloadPorts['sendingTurns'] = {
      take: async ({ name }, paths, onWait) => {
        stores.note(`turn at ${name} for ${paths.join(' ')}`)
        onWait()
        return { waited: true, release: () => stores.note('turn over') }
      },
    }
    await sendInputs(stores.task(derivation, [large, small], []), machine, remote, sized, stores.ports({ sendingTurns }), signal)
    expect(stores.events.slice(1)).toEqual([
      'turn at b1 for large',
      "> guix offload: another build is sending the same store items to 'b1'; waiting for it...",
      "> guix offload: sending 2 store items (1 MiB) to 'b1'...",
      'import small',
      'add text hello.drv',
      'turn over',
    ])
  })
})
