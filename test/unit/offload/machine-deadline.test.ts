import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { withMachineDeadline, withoutRepetitions } from '../../../src/offload/machine-deadline.js'
import { machine } from '../machines/machine-fixture.js'

const never = new AbortController().signal

describe('the time of one machine', () => {
  it('is up even for work that does not listen, which is told so', async () => {
    let heard: unknown
    const work = (signal: AbortSignal) => {
      signal.addEventListener('abort', () => {
        heard = signal.reason
      })
      return new Promise<never>(() => undefined)
    }
    await expect(withMachineDeadline(machine('b1'), 'testing', 20, never, work)).rejects.toMatchObject({
      code: 'machine-deadline', message: expect.stringMatching(/^b1:22: testing: not finished within 0\.02 s\./) as string,
    })
    expect(heard).toMatchObject({ code: 'machine-deadline' })
  })

  it('ends what is left over when the work is done, and leaves no listener', async () => {
    const outer = new AbortController()
    let inner: AbortSignal | undefined
    expect(await withMachineDeadline(machine('b1'), 'testing', 10_000, outer.signal, async (signal) => {
      inner = signal
      return 7
    })).toBe(7)
    expect(inner?.aborted).toBe(true)
    expect(getEventListeners(outer.signal, 'abort')).toEqual([])
  })

  it('ends with the caller\'s own abort, by its reason', async () => {
    const outer = new AbortController()
    const reason = new Error('interrupted')
    const working = withMachineDeadline(machine('b1'), 'testing', 10_000, outer.signal, () => new Promise<never>(() => undefined))
    outer.abort(reason)
    await expect(working).rejects.toBe(reason)
  })
})

it('counts a machine once, however many entries it has, and two servers on one host twice', () => {
  const machines = [machine('b1', { speed: 3 }), machine('b2'), machine('b1', { systems: ['i686-linux'] }), machine('b1', { port: 2222 })]
  expect(withoutRepetitions(machines)).toEqual([machines[0], machines[1], machines[3]])
})
