import { describe, expect, it } from 'vitest'
import { gatherInputs, type InputPorts } from '../../../src/scheduling/gather-inputs.js'
import { machine } from '../machines/machine-fixture.js'

const [a, b] = [machine('a'), machine('b')]
const messages: string[] = []
const ports: InputPorts = {
  sizes: async () => new Map([['/gnu/store/x', 100], ['/gnu/store/y', 20], ['/gnu/store/z', 3]]),
  believed: async ({ name }) => ({ has: (path) => name === 'a' && path !== '/gnu/store/y' }),
  bytesPerSecond: async ({ name }) => (name === 'b' ? 1000 : undefined),
  expectedSeconds: async (derivation, machines) => derivation.length + machines.length,
  log: { debug: (message) => void messages.push(message), info: () => expect.unreachable(), warn: () => expect.unreachable() },
}
const signal = new AbortController().signal

describe('gatherInputs', () => {
  it('says what each machine has and lacks', async () => {
    const inputs = await gatherInputs('/gnu/store/d.drv', [a, b], ports, signal)
    expect(inputs.of(a)).toEqual({ presentBytes: 103, missingBytes: 20, bytesPerSecond: undefined })
    expect(inputs.of(b)).toEqual({ presentBytes: 0, missingBytes: 123, bytesPerSecond: 1000 })
    expect(inputs.of(machine('c'))).toEqual({})
    expect(inputs.expectedSeconds).toBe(18)
  })

  it('says less where the local daemon says nothing, and why in the log', async () => {
    const inputs = await gatherInputs('/gnu/store/d.drv', [a, b], { ...ports, sizes: async () => Promise.reject(new Error('no daemon')) }, signal)
    expect([inputs.of(a), inputs.of(b)]).toEqual([{ bytesPerSecond: undefined }, { bytesPerSecond: 1000 }])
    expect(messages).toEqual(['the sizes of the inputs of /gnu/store/d.drv are not known: Error: no daemon'])
  })

  it('is rejected when it is called off', async () => {
    const controller = new AbortController()
    const sizes = async () => {
      controller.abort(new Error('enough'))
      return Promise.reject(new Error('cut'))
    }
    await expect(gatherInputs('/gnu/store/d.drv', [a], { ...ports, sizes }, controller.signal)).rejects.toThrow('enough')
  })
})
