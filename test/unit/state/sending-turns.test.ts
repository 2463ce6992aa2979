import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { SendingTurns } from '../../../src/state/sending-turns.js'
import { scratchFolders } from '../../support/scratch.js'

const scratch = scratchFolders()
const machine = { name: 'b1', port: 22 }
const item = (name: string): string => `/gnu/store/${name.padEnd(32, '0')}-${name}`
const nobody = (): never => {
  throw new Error('nobody was to be waited for')
}
const { signal } = new AbortController()

describe('SendingTurns', () => {
  it('makes a second sender of an item wait for the first, and says so once', async () => {
    const turns = new SendingTurns(scratch())
    const first = await turns.take(machine, [item('c'), item('b')], nobody, signal)
    expect(first.waited).toBe(false)
    let told = 0
    let over = false
    const second = turns.take(machine, [item('a'), item('b')], () => (told += 1), signal).finally(() => (over = true))
    await sleep(500)
    expect(told).toBe(1)
    expect(over).toBe(false)
    first.release()
    first.release()
    expect((await second).waited).toBe(true)
    expect(told).toBe(1)
  })

  it('lets senders of other items, and to other machines, pass', async () => {
    const turns = new SendingTurns(scratch())
    await turns.take(machine, [item('a')], nobody, signal)
    expect((await turns.take(machine, [item('b')], nobody, signal)).waited).toBe(false)
    expect((await turns.take({ name: 'b1', port: 2222 }, [item('a')], nobody, signal)).waited).toBe(false)
  })

  it('has hooks that want the same items in another order wait in no ring', async () => {
    const turns = new SendingTurns(scratch())
    const items = Array.from({ length: 20 }, (_, index) => item(`${String.fromCharCode(97 + index)}${index}`))
    const sent = await Promise.all([items, items.toReversed(), items].map(async (paths) => {
      const turn = await turns.take(machine, paths, () => undefined, signal)
      turn.release()
      return turn.waited
    }))
    expect(sent).toHaveLength(3)
  })

  it('stops waiting when it is called off, and keeps nothing', async () => {
    const turns = new SendingTurns(scratch())
    const first = await turns.take(machine, [item('b')], nobody, signal)
    const controller = new AbortController()
    const second = turns.take(machine, [item('a'), item('b')], () => controller.abort(new Error('called off')), controller.signal)
    await expect(second).rejects.toThrow('called off')
    expect((await turns.take(machine, [item('a')], nobody, signal)).waited).toBe(false)
    first.release()
  })

  it('has nobody wait where the state folder cannot be used', async () => {
    const turns = new SendingTurns('/dev/null')
    expect((await turns.take(machine, [item('a')], nobody, signal)).waited).toBe(false)
    expect((await turns.take(machine, [item('a')], nobody, signal)).waited).toBe(false)
  })
})
