import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DaemonError } from '../../../src/protocol/daemon-error.js'
import { despiteFirstUse } from '../../../src/protocol/first-use.js'

const greeting = (text: string) => new DaemonError('greeting the daemon', text, 1, '')
// As guix-daemon 1.5.0 said it to one of several first clients.
const raced = "creating symlink from `/var/guix/gcroots/profiles' to `/var/guix/profiles': File exists\n"

describe('the first clients of a daemon', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** However long it waits. */
  const patiently = async <T>(work: Promise<T>): Promise<T> => {
    work.catch(() => undefined)
    await vi.runAllTimersAsync()
    return work
  }

  it('come again when another one has made what the daemon was about to make', async () => {
    const outcomes: (Error | string)[] = [greeting(raced), greeting("creating directory `/var/guix/temproots': File exists"), greeting('setting journal mode: database is locked'), greeting("`/var/guix/db/schema' is corrupt"), 'a session']
    expect(await patiently(despiteFirstUse(async () => {
      const outcome = outcomes.shift()
      if (outcome instanceof Error) throw outcome
      return outcome
    }))).toBe('a session')
  })

  it.each([
    ['another complaint of the daemon', greeting('disk full')],
    ['what is not the daemon\'s', new Error(raced)],
  ])('do not for %s', async (_, error) => {
    let attempts = 0
    await expect(despiteFirstUse(async () => {
      attempts += 1
      throw error
    })).rejects.toBe(error)
    expect(attempts).toBe(1)
  })

  it('do not come for ever', async () => {
    let attempts = 0
    await expect(patiently(despiteFirstUse(async () => {
      attempts += 1
      throw greeting(raced)
    }))).rejects.toMatchObject({ code: 'daemon-error' })
    expect(attempts).toBe(6)
  })
})
