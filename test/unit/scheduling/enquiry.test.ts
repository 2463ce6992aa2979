import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Enquiry, type EnquiryOptions } from '../../../src/scheduling/enquiry.js'
import { machine } from '../machines/machine-fixture.js'
import { FakeClock, settled } from './fake-clock.js'

/** Milliseconds until a machine answers, undefined: never; `barred`: with nothing of use. */
interface Behaviour {
  readonly ms?: number
  readonly barred?: boolean
  readonly slow?: boolean
  /** Answers although it was called off. */
  readonly deaf?: boolean
}

let clock: FakeClock
let controller: AbortController

beforeEach(() => {
  clock = new FakeClock()
  controller = new AbortController()
})

function setUp(behaviours: Readonly<Record<string, Behaviour>>, changes: Partial<EnquiryOptions<string>> = {}) {
  const open = new Set<string>()
  const log: string[] = []
  let running = 0
  let most = 0
  const enquiry = new Enquiry<string>({
    clock, signal: controller.signal, promptMs: 400, patienceMs: 1000, maxRunning: 100,
    discard: (value) => void open.delete(value),
    ...changes,
  })
  const machines = Object.keys(behaviours).map((name) => machine(name))
  const questions = machines.map((asked) => {
    const { ms = 1e9, barred = false, slow = false, deaf = false } = behaviours[asked.name] ?? {}
    return {
      machine: asked,
      slow,
      async ask(signal: AbortSignal) {
        running += 1
        most = Math.max(most, running)
        try {
          await clock.delay(ms, deaf ? undefined : signal)
          if (barred) return undefined
          open.add(asked.name)
          return asked.name
        } catch {
          log.push(`${asked.name} ended`)
          return undefined
        } finally {
          running -= 1
        }
      },
    }
  })
  const started = clock.now()
  const gather = () => clock.drive(enquiry.gather(questions)).then(() => clock.now() - started)
  const kinds = () => machines.map((asked) => enquiry.reply(asked)?.kind)
  return { enquiry, machines, open, log, gather, kinds, most: () => most }
}

describe('Enquiry', () => {
  it('waits for all that answer in time', async () => {
    const { gather, kinds } = setUp({ a: { ms: 100 }, b: { ms: 390 }, c: { ms: 20, barred: true } })
    expect(await gather()).toBe(390)
    expect(kinds()).toEqual(['there', 'there', 'barred'])
  })

  it.each([
    ['as long as a machine in order needs', 10, 400],
    ['three times as long as the first one', 200, 600],
    ['a second more than the first one', 700, 1700],
  ])('waits for those that are late %s', async (_, first, until) => {
    const { gather, kinds } = setUp({ a: {}, b: { ms: first }, c: { ms: 3000 } })
    expect(await gather()).toBe(until)
    expect(kinds()).toEqual(['open', 'there', 'open'])
  })

  it('waits for one as long as there is none, but ends with the last one', async () => {
    expect(await setUp({ a: { ms: 5000 }, b: { ms: 10, barred: true } }).gather()).toBe(5000)
    expect(await setUp({ a: { ms: 500, barred: true }, b: { ms: 10, barred: true } }).gather()).toBe(500)
    expect(await setUp({}).gather()).toBe(0)
  })

  it('waits for nobody beyond the deadline', async () => {
    const { gather, kinds } = setUp({ a: {}, b: {} }, { deadlineMs: 800 })
    expect(await gather()).toBe(800)
    expect(kinds()).toEqual(['open', 'open'])
  })

  it('does not wait for those that are slow, but asks them', async () => {
    const { gather, kinds, enquiry, machines } = setUp({ a: { slow: true, ms: 600 }, b: { ms: 50 } })
    expect(await gather()).toBe(50)
    expect(kinds()).toEqual(['open', 'there'])
    await clock.advance(1000)
    expect(kinds()).toEqual(['there', 'there'])
    enquiry.end()
    expect(machines.map((asked) => enquiry.reply(asked)?.kind)).toEqual(['there', 'there'])
  })

  it('asks so many at a time, and those it did not come to not at all', async () => {
    const { gather, kinds, most } = setUp({ a: { ms: 300 }, b: { ms: 300 }, c: { ms: 3000 }, d: {} }, { maxRunning: 1 })
    expect(await gather()).toBe(900)
    expect(most()).toBe(1)
    expect(kinds()).toEqual(['there', 'there', 'open', undefined])
  })

  it('ends what nobody has taken over, and leaves what somebody has', async () => {
    const { enquiry, machines: [a, b, c, d], gather, open, log } = setUp({ a: { ms: 10 }, b: { ms: 10 }, c: {}, d: { ms: 5000, deaf: true } })
    if (a === undefined || b === undefined || c === undefined || d === undefined) return expect.unreachable()
    await gather()
    expect(await enquiry.join(a, controller.signal)).toBe('a')
    enquiry.end()
    enquiry.end()
    await clock.advance(10_000)
    expect([...open]).toEqual(['a'])
    expect(log).toEqual(['c ended'])
    expect(enquiry.join(machine('x'), controller.signal)).toBeUndefined()
  })

  it('lets whoever joins an attempt have what comes, or call it off', async () => {
    const { enquiry, machines: [a, b], gather, log } = setUp({ a: { ms: 2000 }, b: { ms: 3000 }, c: { ms: 10 } })
    if (a === undefined || b === undefined) return expect.unreachable()
    await gather()
    const called = new AbortController()
    const [first, second] = [enquiry.join(a, controller.signal), enquiry.join(b, called.signal)]
    called.abort(new Error('enough'))
    expect(await clock.drive(Promise.all([first, second]))).toEqual(['a', undefined])
    expect(log).toEqual(['b ended'])
    expect([getEventListeners(controller.signal, 'abort').length, getEventListeners(called.signal, 'abort').length]).toEqual([0, 0])
  })

  it('is rejected when it is called off, and leaves nothing behind', async () => {
    const { enquiry, gather, open, log } = setUp({ a: { ms: 10 }, b: {} })
    const work = gather()
    await settled()
    controller.abort(new Error('enough'))
    await expect(work).rejects.toThrow('enough')
    enquiry.end()
    await settled()
    expect(open.size + clock.pending).toBe(0)
    expect(log).toEqual(['b ended'])
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  it('leaves nothing open whatever happens', async () => {
    const behaviour = fc.record({ ms: fc.constantFrom(0, 10, 350, 800, 5000), barred: fc.boolean(), slow: fc.boolean(), deaf: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), behaviour), fc.integer({ min: 1, max: 5 }), async (behaviours, maxRunning) => {
        clock = new FakeClock()
        const { enquiry, gather, open } = setUp(behaviours, { maxRunning })
        await gather()
        enquiry.end()
        await clock.advance(20_000)
        expect([open.size, clock.pending]).toEqual([0, 0])
      }),
      { numRuns: 60 },
    )
  })
})
