/** Faults of a build machine on which GNU lshd runs, reached by transport lsh: its link, its server, the whole machine, and the hook that uses it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Farm } from '../support/farm.js'
import { expectElsewhere, expectNothingLeftOf, phasesAfterChoice, runRow, startFaultFarm } from '../support/fault-matrix.js'
import { leftOnMaster, settledAfterKill } from '../support/leftovers.js'
import { linkLost, lshdKilled, lshdStopped } from '../support/machine-faults.js'
import { hookProcesses } from '../support/master-view.js'
import type { Machine } from '../testbed/machine.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm

beforeAll(async () => {
  farm = await startFaultFarm({ name: 'faults-lsh', lshd: true })
})
afterAll(() => farm[Symbol.asyncDispose]())

const lshOn = async (machine: Machine) => (await machine.processes()).filter(({ command }) => command.some((word) => /(?:^|\/)lsh$/.test(word)))

afterEach(async () => {
  await waitFor('lsh to be gone', async () => (await lshOn(farm.master)).length === 0)
  expect(await farm.master.sh('find /tmp -name "guix-offload-lsh-*"')).toBe('')
})

const nothing = async () => undefined

describe.each([
  ['its link is lost', linkLost],
  ['lshd stops', lshdStopped],
  ['lshd is killed', lshdKilled],
] as const)('another machine does the build when %s', (name, fault) => {
  it.each(phasesAfterChoice)('during: %s', async (phase) => {
    const seen = await runRow(farm, { phase, ...fault })
    await expectElsewhere(farm, seen, /^connection-lost$/)
    console.info(`${name} during ${phase}: noticed and replaced after ${seen.noticedMs ?? 'no'} ms`)
    await expectNothingLeftOf(farm, seen)
  })
})

it.each(['connect', 'probe'] as const)('another machine does the build when lshd is killed during: %s', async (phase) => {
  const seen = await runRow(farm, { phase, ...lshdKilled })
  await expectElsewhere(farm, seen, /./)
  await expectNothingLeftOf(farm, seen)
})

it.each(phasesAfterChoice)('the hook is killed with its process group during: %s', async (phase) => {
  const b1 = farm.builder('b1')
  const { outcome, marker } = await runRow(farm, {
    phase, among: 'alone', silence: 1000, mend: nothing,
    strike: async () => {
      const [hook] = await hookProcesses(farm.master)
      if (hook === undefined) throw new Error('No hook runs')
      expect(await lshOn(farm.master)).not.toEqual([])
      process.kill(-hook.hostPid, 'SIGKILL')
    },
  })
  expect(outcome).toMatchObject({ built: false, failure: { status: 1 } })
  console.info(`killed during ${phase}: settled in ${await settledAfterKill(farm, b1, marker)} ms`)
  const next = await runRow(farm, { phase: 'connect', among: 'alone', mend: nothing })
  expect(next.outcome).toMatchObject({ built: true, failure: undefined })
  expect(await leftOnMaster(farm)).toEqual([])
})

/** Its processes are gone, and nobody on the network was told. */
const reboot = async (machine: Machine) => {
  await machine.disconnect()
  await machine.lshd.kill()
  await machine.daemon.kill()
  await machine.daemon.start()
  await machine.lshd.start()
  await machine.reconnect()
}

// The last ones: what a daemon that is killed outright had begun stays in its store until the same derivation is built there again.
it.each(phasesAfterChoice)('another machine does the build when it starts anew during: %s', async (phase) => {
  const seen = await runRow(farm, { phase, strike: reboot, mend: nothing })
  await expectElsewhere(farm, seen, /^connection-lost$/)
  await expectNothingLeftOf(farm, seen, { untidy: true })
})
