/** Faults of a build machine while garbage is collected on all sides, again and again: what the machine that takes over needs is still there, or is sent. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { collecting } from '../support/collecting.js'
import type { Farm } from '../support/farm.js'
import { expectNothingLeftOf, phasesAfterChoice, runRow, startFaultFarm } from '../support/fault-matrix.js'
import { daemonKilled, linkLost, sshdKilled } from '../support/machine-faults.js'

let farm: Farm
beforeAll(async () => {
  farm = await startFaultFarm({ name: 'faults-collected' })
})
afterAll(() => farm[Symbol.asyncDispose]())

describe.each([
  ['its link is lost', linkLost],
  ['its sshd is killed', sshdKilled],
  ['its guix-daemon is killed', daemonKilled],
] as const)('another machine does the build when %s', (_name, fault) => {
  it.each(phasesAfterChoice)('during: %s', async (phase) => {
    const collectors = [farm.master, ...farm.builders].map((machine) => collecting(machine, { dauntless: true }))
    const seen = await runRow(farm, { phase, ...fault }).finally(() => Promise.all(collectors.map((collector) => collector.stop())))
    // The output itself is no longer protected, and may be gone by now.
    const { outcome: { failure, log }, history } = seen
    expect(failure, log).toBeUndefined()
    expect(history, log).toMatchObject([{ machine: 'b1:22', outcome: 'machine-failed' }, { machine: 'b2:22', outcome: 'built' }])
    for (const { count } of collectors) expect(count).toBeGreaterThan(0)
    // A daemon that is killed leaves in its store what it was at.
    await expectNothingLeftOf(farm, seen, { untidy: true })
  })
})
