/** Build slots are shared with the hook that comes with Guix: whoever holds one, the other finds it taken. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { AskedHook } from '../support/asked-hook.js'
import { type Farm, startFarm } from '../support/farm.js'
import { takenSlots } from '../support/leftovers.js'
import { buildDerivation, instantiate } from '../testbed/derivations.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm
let derivation: string
const slot = '/var/guix/offload/b1:22/0'

beforeAll(async () => {
  farm = await startFarm({ name: 'slots', builders: [{ name: 'b1', fields: { parallelBuilds: 1 } }] })
  derivation = (await instantiate(farm.master, [{ name: 'slots', script: 'echo > $out' }]))[0]?.drv ?? ''
})

afterAll(() => farm[Symbol.asyncDispose]())

const asked = (program: 'stock' | 'ours') => new AskedHook(farm, derivation, program)

it.each([['stock', 'ours'], ['ours', 'stock'], ['ours', 'ours']] as const)('a slot that %s holds is not taken by %s, but once it is free', async (holder, other) => {
  const holding = asked(holder)
  expect(await holding.answer(), holding.output).toBe('accept')
  expect(await takenSlots(farm)).toEqual([slot])

  await using asking = asked(other)
  expect(await asking.answer(), asking.output).toBe('postpone')
  // Refused, it holds nothing, and the one that has it keeps it.
  expect(await takenSlots(farm)).toEqual([slot])

  await holding[Symbol.asyncDispose]()
  await waitFor('the slot to be given back', async () => (await takenSlots(farm)).length === 0)
  asking.ask()
  expect(await asking.answer(2), asking.output).toBe('accept')
})

it('a build waits for the slot that stock holds', async () => {
  const holding = asked('stock')
  expect(await holding.answer(), holding.output).toBe('accept')
  let log = ''
  const building = buildDerivation(farm.master, { name: 'waits', script: 'echo > $out' }, { onLog: (text) => (log += text) })
  await new Promise((resolve) => setTimeout(resolve, 3000))
  expect(log).not.toContain('@ build-remote')
  await holding[Symbol.asyncDispose]()
  const { failure } = await building
  expect(failure).toBeUndefined()
  expect(log).toContain('@ build-remote')
})

it.each(['SIGKILL', 'SIGTERM'] as const)('a hook that has accepted and is ended by %s frees its slot', async (signal) => {
  const holding = asked('ours')
  expect(await holding.answer(), holding.output).toBe('accept')
  expect(await takenSlots(farm)).toEqual([slot])
  await holding.signal(signal)
  expect(await takenSlots(farm)).toEqual([])
})

it('status counts the slots that are taken, whoever holds them', async () => {
  const slots = async () => {
    const { stdout } = await farm.run(['status', '--json'])
    const machines = JSON.parse(String(stdout)) as { freeSlots: number; takenSlots: number }[]
    return machines.map(({ freeSlots, takenSlots: taken }) => ({ freeSlots, taken }))
  }
  expect(await slots()).toEqual([{ freeSlots: 1, taken: 0 }])
  await using holding = asked('stock')
  expect(await holding.answer(), holding.output).toBe('accept')
  expect(await slots()).toEqual([{ freeSlots: 0, taken: 1 }])
})
