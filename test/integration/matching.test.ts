/** Which machine gets a derivation, if any: by system type, by features, by free slots. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { buildersWith, uniqueMarker } from '../support/master-view.js'
import { buildDerivation, buildDerivations, type DerivationSpec } from '../testbed/derivations.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm

beforeAll(async () => {
  farm = await startFarm({
    name: 'matching',
    fields: { parallelBuilds: 2 },
    builders: [
      { name: 'b1', fields: { features: ['kvm', 'big-parallel'] } },
      { name: 'b2', fields: { features: ['big-parallel'], systems: ['x86_64-linux', 'i686-linux'] } },
    ],
  })
})

afterAll(() => farm[Symbol.asyncDispose]())

const setMaxJobs = async (maxJobs: number) => {
  farm.master.daemon.configure({ maxJobs })
  await farm.master.daemon.restart()
}

const machineOf = async (derivation: string) => (await farm.history()).filter((entry) => entry['derivation'] === derivation).map((entry) => entry['machine'])

const hostName: Omit<DerivationSpec, 'name'> = { script: 'echo > $out' }

describe('a match', () => {
  it.each([
    [{ features: ['kvm'] }, 'b1:22'],
    [{ features: ['big-parallel', 'kvm'] }, 'b1:22'],
    [{ system: 'i686-linux' }, 'b2:22'],
    [{ system: 'i686-linux', features: ['big-parallel'] }, 'b2:22'],
  ])('of %j goes to %s', async (wanted, machine) => {
    const { drv, failure } = await buildDerivation(farm.master, { ...hostName, name: 'matching', ...wanted })
    expect(failure).toBeUndefined()
    expect(await machineOf(drv)).toEqual([machine])
  })

  it('is any of those that suit', async () => {
    const { drv, failure } = await buildDerivation(farm.master, { ...hostName, name: 'any', features: ['big-parallel'] })
    expect(failure).toBeUndefined()
    expect(['b1:22', 'b2:22']).toContain((await machineOf(drv))[0])
  })
})

describe('no match', () => {
  afterEach(() => setMaxJobs(0))

  it.each([[{ features: ['kvm', 'unheard-of'] }], [{ system: 'i686-linux', features: ['kvm'] }]])('of %j is built here if the daemon may', async (wanted) => {
    await setMaxJobs(1)
    const { drv, failure, built, log } = await buildDerivation(farm.master, { ...hostName, name: 'declined', ...wanted })
    expect(failure).toBeUndefined()
    expect(built).toBe(true)
    expect(log).not.toContain('@ build-remote')
    expect(await machineOf(drv)).toEqual([])
  })

  it.each([[{ features: ['unheard-of'] }], [{ system: 'armhf-linux' }]])('of %j fails at once if the daemon may not', async (wanted) => {
    const { drv, failure, built, milliseconds } = await buildDerivation(farm.master, { ...hostName, name: 'refused', ...wanted })
    expect(failure?.message).toContain('unable to start any build')
    expect(built).toBe(false)
    expect(milliseconds).toBeLessThan(20_000)
    expect(await machineOf(drv)).toEqual([])
  })
})

describe('all slots taken', () => {
  it('a derivation waits, though the daemon could build it itself, and is built where it belongs', async () => {
    await setMaxJobs(1)
    try {
      const marker = uniqueMarker()
      const busy = [1, 2].map((number) => ({ name: `busy-${number}`, script: `${marker}; sleep 5; echo > $out`, features: ['kvm'] }))
      const first = buildDerivations(farm.master, busy)
      await waitFor('both slots of b1 to be taken', async () => (await buildersWith(marker)).length >= 2, 20_000)
      const { drv, failure, log } = await buildDerivation(farm.master, { ...hostName, name: 'late', features: ['kvm'] })
      expect(failure).toBeUndefined()
      expect((await first).failure).toBeUndefined()
      expect(await machineOf(drv)).toEqual(['b1:22'])
      expect(log).toContain('@ build-remote')
    } finally {
      await setMaxJobs(0)
    }
  })

  it('twelve derivations are built by two machines with two slots each, never more than two at a time on either', async () => {
    const count = 12
    // /proc/uptime is the same clock everywhere on one host.
    const now = `$(cut -d ' ' -f 1 /proc/uptime)`
    const specs = Array.from({ length: count }, (_, number) => ({ name: `of-twelve-${number}`, script: `start=${now}; sleep 2; echo "$start ${now}" > $out` }))
    const { derivations, failure, milliseconds } = await buildDerivations(farm.master, specs)
    expect(failure).toBeUndefined()
    expect(derivations.filter(({ built }) => built)).toHaveLength(count)

    const builds = await Promise.all(derivations.map(async ({ drv, outputs }) => {
      const [start = NaN, end = NaN] = (await farm.master.readFile(outputs['out'] ?? '')).split(' ').map(Number)
      const machines = await machineOf(drv)
      expect(machines).toHaveLength(1)
      return { machine: machines[0], start, end }
    }))
    for (const machine of ['b1:22', 'b2:22']) {
      const here = builds.filter((build) => build.machine === machine)
      const most = Math.max(...here.map(({ start }) => here.filter((other) => other.start <= start && start < other.end).length))
      // Both slots are used, and no third one.
      expect(most, `${machine}: ${JSON.stringify(here)}`).toBe(2)
    }
    console.info(`${count} builds of 2 s in 4 slots: ${milliseconds} ms`)
  })
})
