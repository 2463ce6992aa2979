/** Faults of the servers on a build machine that failover.test.ts does not have: stopped, so that connections stay open and nobody answers, in every phase; killed before the choice. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Farm } from '../support/farm.js'
import { expectElsewhere, expectNothingLeftOf, type FaultPhase, faultPhases, runRow, startFaultFarm } from '../support/fault-matrix.js'
import { daemonKilled, daemonStopped, sshdKilled, sshdStopped } from '../support/machine-faults.js'

let farm: Farm

beforeAll(async () => {
  farm = await startFaultFarm({ name: 'servers' })
})
afterAll(() => farm[Symbol.asyncDispose]())

const services = {
  'its SSH server stops': sshdStopped,
  'its SSH server is killed': sshdKilled,
  'its daemon stops': daemonStopped,
  'its daemon is killed': daemonKilled,
} as const

const rows: readonly (readonly [keyof typeof services, FaultPhase, RegExp])[] = [
  ...faultPhases.map((phase) => ['its SSH server stops', phase, /^connection-lost$/] as const),
  ['its SSH server is killed', 'connect', /./],
  ['its SSH server is killed', 'probe', /./],
]

describe('another machine does the build when', () => {
  it.each(rows)('%s during: %s', async (fault, phase, code) => {
    const seen = await runRow(farm, { phase, ...services[fault] })
    await expectElsewhere(farm, seen, code)
    await expectNothingLeftOf(farm, seen)
  })

  // The machine answers, so it is chosen; only then its daemon is needed.
  it.each([
    ['its daemon stops', 'connect', 'daemon-silent'],
    ['its daemon stops', 'probe', 'daemon-silent'],
    ['its daemon is killed', 'connect', 'socket-unavailable'],
    ['its daemon is killed', 'probe', 'socket-unavailable'],
  ] as const)('%s during: %s', async (fault, phase, code) => {
    const seen = await runRow(farm, { phase, ...services[fault] })
    const { outcome: { failure, log }, history } = seen
    expect(failure, log).toBeUndefined()
    expect(history.at(-1), log).toMatchObject({ machine: 'b2:22', outcome: 'built' })
    // On a busy host b2 may have been asked first.
    if (history.length > 1) {
      expect(history, log).toMatchObject([{ machine: 'b1:22', outcome: 'machine-failed', error: { code } }, {}])
      expect(log).toContain(`'b1' failed (${code}); trying 'b2'\n`)
    }
    await expectNothingLeftOf(farm, seen)
  })
})

/** The link is alive, and a builder may be silent for as long as its limit allows: only that limit, which the master's own daemon keeps, ends a build whose daemon hangs. */
it('a daemon that stops during the build costs no more than the limit of its silence', async () => {
  const seen = await runRow(farm, { phase: 'build', silence: 300, ...daemonStopped, build: { maxSilentTime: 3 } })
  const { outcome: { failure, log } } = seen
  expect(failure, log).toMatchObject({ status: 101 })
  expect(log).toContain(' timed out after 3 seconds of silence')
  await expectNothingLeftOf(farm, seen)
})
