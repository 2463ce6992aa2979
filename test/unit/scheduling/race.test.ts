import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { raceInOrder, type Entrant, type RaceOptions } from '../../../src/scheduling/race.js'
import { FakeClock, settled } from './fake-clock.js'

let clock: FakeClock
let controller: AbortController
let options: RaceOptions
let log: string[]

beforeEach(() => {
  clock = new FakeClock()
  controller = new AbortController()
  options = { clock, signal: controller.signal, headStartMs: 200, graceMs: 50, maxRunning: 8 }
  log = []
})

const at = () => clock.now() - 1_000_000

/** Arrives after `ms`, or fails then; `deaf` ones do not care about being called off. */
function entrant(name: string, ms: number, { fails = false, deaf = false } = {}): Entrant<string> {
  return {
    async run(signal) {
      log.push(`${at()} start ${name}`)
      try {
        await clock.delay(ms, deaf ? undefined : signal)
      } catch {
        log.push(`${at()} off ${name}`)
        return undefined
      }
      return fails ? undefined : name
    },
    discard: (value) => log.push(`${at()} discard ${value}`),
  }
}

describe('raceInOrder', () => {
  it('starts only the first if that arrives within its head start', async () => {
    expect(await clock.drive(raceInOrder([entrant('a', 199), entrant('b', 1)], options))).toEqual({ index: 0, value: 'a' })
    expect(log).toEqual(['0 start a'])
  })

  it('starts the next after the head start, without giving up on the first', async () => {
    expect(await clock.drive(raceInOrder([entrant('a', 1000), entrant('b', 1000), entrant('c', 1000)], options))).toEqual({ index: 0, value: 'a' })
    expect(log).toEqual(['0 start a', '200 start b', '400 start c', '1000 off b', '1000 off c'])
  })

  it('starts the next at once when one fails, and its head start counts from then', async () => {
    await clock.drive(raceInOrder([entrant('a', 30, { fails: true }), entrant('b', 500), entrant('c', 10_000)], options))
    expect(log).toEqual(['0 start a', '30 start b', '230 start c', '530 off c'])
  })

  it('prefers a better one that arrives within the grace', async () => {
    expect(await clock.drive(raceInOrder([entrant('a', 240), entrant('b', 10)], options))).toEqual({ index: 0, value: 'a' })
    expect(log).toEqual(['0 start a', '200 start b', '240 discard b'])
  })

  it('takes the worse one when the grace is over', async () => {
    expect(await clock.drive(raceInOrder([entrant('a', 1000), entrant('b', 10)], options))).toEqual({ index: 1, value: 'b' })
    expect(at()).toBe(260)
    expect(log).toEqual(['0 start a', '200 start b', '260 off a'])
  })

  it('waits no longer once every better one has failed', async () => {
    await clock.drive(raceInOrder([entrant('a', 215, { fails: true }), entrant('b', 10)], options))
    expect(at()).toBe(215)
  })

  it('starts nobody new during the grace', async () => {
    await clock.drive(raceInOrder([entrant('a', 1000), entrant('b', 190), entrant('c', 1)], options))
    expect(log).toEqual(['0 start a', '200 start b', '440 off a'])
  })

  it('keeps to the number that may run at a time', async () => {
    await clock.drive(raceInOrder([entrant('a', 1000, { fails: true }), entrant('b', 2000, { fails: true }), entrant('c', 1)], { ...options, maxRunning: 2 }))
    expect(log).toEqual(['0 start a', '200 start b', '1000 start c', '1051 off b'])
  })

  it('discards what a called-off one brings too late', async () => {
    await clock.drive(raceInOrder([entrant('a', 1000, { deaf: true }), entrant('b', 10)], options))
    expect(log.at(-1)).toBe('200 start b')
    await clock.advance(1000)
    expect(log.at(-1)).toBe('1000 discard a')
  })

  it('yields undefined when all fail, and at once when there is nobody', async () => {
    expect(await clock.drive(raceInOrder([entrant('a', 10, { fails: true }), entrant('b', 10, { fails: true })], options))).toBeUndefined()
    expect(await raceInOrder([], options)).toBeUndefined()
  })

  it('ends with the error of an entrant that forbids going on', async () => {
    const broken: Entrant<string> = { run: () => Promise.reject(new Error('out of files')), discard: () => {} }
    await expect(clock.drive(raceInOrder([entrant('a', 1000), broken], options))).rejects.toThrow('out of files')
    expect(log.at(-1)).toBe('200 off a')
  })

  it('ends with the reason when aborted, before and during', async () => {
    const running = raceInOrder([entrant('a', 1000), entrant('b', 10)], options)
    running.catch(() => {})
    await clock.advance(220)
    controller.abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
    await settled()
    expect(log.slice(2)).toEqual(['220 discard b', '220 off a'])
    await expect(raceInOrder([entrant('c', 1)], options)).rejects.toThrow('enough')
    expect(log).not.toContain('220 start c')
  })

  it('accounts for everything, whatever happens when', async () => {
    const script = fc.record({ ms: fc.integer({ min: 0, max: 600 }), fails: fc.boolean(), deaf: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(script, { maxLength: 6 }), fc.option(fc.integer({ min: 0, max: 800 })), fc.integer({ min: 1, max: 4 }), async (scripts, abortAt, maxRunning) => {
        clock = new FakeClock()
        const abort = new AbortController()
        const open = new Set<number>()
        let most = 0
        let running = 0
        const entrants = scripts.map(({ ms, fails, deaf }, index): Entrant<number> => ({
          async run(signal) {
            most = Math.max(most, ++running)
            try {
              await clock.delay(ms, deaf ? undefined : signal)
              if (fails) return undefined
              open.add(index)
              return index
            } catch {
              return undefined
            } finally {
              running -= 1
            }
          },
          discard: (value) => open.delete(value),
        }))
        if (abortAt !== null) clock.after(abortAt, () => abort.abort(new Error('enough')))
        const race = raceInOrder(entrants, { clock, signal: abort.signal, headStartMs: 100, graceMs: 30, maxRunning })
        const outcome = await clock.drive(race).then((won) => ({ won }), (error: unknown) => ({ error }))
        await clock.advance(10_000)
        expect(clock.pending).toBe(0)
        expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0)
        expect(most).toBeLessThanOrEqual(maxRunning)
        if ('error' in outcome) {
          expect(abort.signal.aborted).toBe(true)
          expect(open.size).toBe(0)
        } else {
          expect([...open]).toEqual(outcome.won === undefined ? [] : [outcome.won.index])
          if (outcome.won === undefined) expect(scripts.every(({ fails }) => fails)).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })
})
