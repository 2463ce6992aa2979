import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { MachineError } from '../../../src/errors/offload-error.js'
import type { ByteChannel } from '../../../src/protocol/byte-channel.js'
import { StallGuard } from '../../../src/remote-store/stall-guard.js'

/** A peer that answers each read after so many milliseconds, or never. */
function channel(delays: readonly (number | 'never')[]): ByteChannel & { closed: boolean } {
  const left = [...delays]
  let wake: ((error: Error) => void) | undefined
  return {
    closed: false,
    async read() {
      const delay = left.shift()
      if (delay === undefined) return undefined
      if (delay !== 'never') return sleep(delay, new Uint8Array([1]))
      return new Promise((_resolve, reject) => (wake = reject))
    },
    write: () => new Promise(() => undefined),
    close() {
      this.closed = true
      wake?.(new Error('the stream was closed'))
    },
  }
}

describe('a stall guard', () => {
  it('gives up when nothing comes, names the machine, and closes the channel', async () => {
    const peer = channel(['never'])
    const guard = new StallGuard(peer, 'b1', 30)
    await expect(guard.read()).rejects.toMatchObject({ code: 'daemon-silent', report: { machine: 'b1', problem: 'the daemon has said nothing for 0.03 s' } })
    expect(peer.closed).toBe(true)
    await expect(guard.read()).rejects.toMatchObject({ code: 'daemon-silent' })
  })

  it('waits as long as it takes once when told to', async () => {
    const guard = new StallGuard(channel([80, 'never']), 'b1', 30)
    guard.suspend()
    expect(await guard.read()).toHaveLength(1)
    await expect(guard.read()).rejects.toMatchObject({ code: 'daemon-silent' })
  })

  it('counts each wait by itself', async () => {
    const guard = new StallGuard(channel([60, 60, 60, 60]), 'b1', 150)
    for (let index = 0; index < 4; index += 1) expect(await guard.read()).toHaveLength(1)
    expect(await guard.read()).toBeUndefined()
  })

  it('does not count the time between two waits', async () => {
    const guard = new StallGuard(channel([0, 0]), 'b1', 40)
    await guard.read()
    await sleep(90)
    expect(await guard.read()).toHaveLength(1)
  })

  it('gives up when nothing is taken', async () => {
    await expect(new StallGuard(channel([]), 'b1', 20).write(new Uint8Array(1))).rejects.toMatchObject({ report: { problem: 'the daemon has taken nothing for 0.02 s' } })
  })

  it('waits for ever without a limit, until it is told why not', async () => {
    const guard = new StallGuard(channel(['never']), 'b1', undefined)
    const reading = guard.read()
    await sleep(20)
    guard.fail(new MachineError({ code: 'enough', step: 'waiting', problem: 'no more' }))
    await expect(reading).rejects.toMatchObject({ code: 'enough' })
  })
})
