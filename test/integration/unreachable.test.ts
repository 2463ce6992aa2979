/** Machines that cannot be reached, each in a way of its own, beside one that can, and alone. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { leftOnMaster, takenSlots } from '../support/leftovers.js'
import { buildDerivation } from '../testbed/derivations.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm
const dead = ['off', 'refusing', 'hole', 'impostor', 'hanging'] as const
type Dead = (typeof dead)[number]
const connectSeconds = 3

beforeAll(async () => {
  const [good, ...others] = [{ name: 'good' }, ...dead.map((name) => ({ name, sshd: name !== 'refusing' }))]
  farm = await startFarm({ name: 'unreachable', builders: [good, ...others] })
  const { master } = farm
  await master.writeFile('/etc/guix/offload.yaml', `timeouts: { connect: ${connectSeconds}s, handshake: ${connectSeconds}s }\n`)
  // The dead ones are faster, so they are asked first. `with-NAME`: that one and the good one; `only-NAME`: that one alone.
  await writeMachinesScm(master, [
    [farm.builder('good'), { features: dead.map((name) => `with-${name}`), parallelBuilds: 4 }],
    ...dead.map((name) => [
      farm.builder(name),
      { features: [`with-${name}`, `only-${name}`], speed: 10, ...(name === 'impostor' ? { hostKey: farm.builder('good').hostKey } : {}) },
    ] as const),
  ])
  await farm.builder('off').powerOff()
  await farm.builder('hole').disconnect()
  await farm.builder('hanging').sshd.pause()
})

beforeEach(() => farm.forgetFailures())

afterAll(async () => {
  await farm.builder('hanging').sshd.resume()
  await farm[Symbol.asyncDispose]()
})

const build = (name: string, feature: string, onLog: (text: string) => void = () => undefined) =>
  buildDerivation(farm.master, { name, script: 'echo built > $out', features: [feature] }, { onLog })

const setMaxJobs = async (maxJobs: number) => {
  farm.master.daemon.configure({ maxJobs })
  await farm.master.daemon.restart()
}

describe('beside a good machine', () => {
  it.each(dead)('one that is %s costs no more than a moment', async (name) => {
    const { failure, built, drv, milliseconds } = await build(`beside-${name}`, `with-${name}`)
    expect(failure).toBeUndefined()
    expect(built).toBe(true)
    const [entry] = (await farm.history()).filter((line) => line['derivation'] === drv)
    expect(entry).toMatchObject({ machine: 'good:22', outcome: 'built' })
    // The head start of the dead one, not its time-out.
    expect((entry?.['seconds'] as { select: number }).select).toBeLessThan(connectSeconds)
    expect(await takenSlots(farm)).toEqual([])
    console.info(`beside one that is ${name}: ${milliseconds} ms, ${JSON.stringify(entry?.['seconds'])}`)
  })
})

const reasons: Readonly<Record<Dead, RegExp>> = {
  off: /machine 'off:22': connect: .*(no answer from|there is no way to)/,
  refusing: /machine 'refusing:22': connect: .*nothing listens on/,
  hole: /machine 'hole:22': connect: .*(no answer from|there is no way to)/,
  impostor: /machine 'impostor:22': connect: .*host key/,
  hanging: /machine 'hanging:22': connect: .*(no SSH server spoke|no answer from)/,
}

describe('alone', () => {
  it.each(dead)('one that is %s leaves the build to a daemon that has a free job, and says why', async (name) => {
    await setMaxJobs(1)
    try {
      const { failure, built, log, drv, milliseconds } = await build(`alone-${name}`, `only-${name}`)
      expect(failure).toBeUndefined()
      expect(built).toBe(true)
      expect(log).not.toContain('@ build-remote')
      expect(log).toMatch(reasons[name])
      expect(milliseconds).toBeLessThan((connectSeconds + 10) * 1000)
      expect((await farm.history()).filter((entry) => entry['derivation'] === drv)).toEqual([])
    } finally {
      await setMaxJobs(0)
    }
  })

  it('a daemon without jobs of its own waits until the machine is back', async () => {
    let log = ''
    const building = build('waits', 'only-hole', (text) => (log += text))
    await waitFor('the machine to be found dead', () => reasons.hole.test(log), 20_000)
    await farm.builder('hole').reconnect()
    const { failure, built, drv } = await building
    expect(failure).toBeUndefined()
    expect(built).toBe(true)
    expect((await farm.history()).filter((entry) => entry['derivation'] === drv)).toMatchObject([{ machine: 'hole:22', outcome: 'built' }])
    expect(await leftOnMaster(farm)).toEqual([])
  })

  it('with onUnreachable: wait it is not built here', async () => {
    await farm.master.writeFile('/etc/guix/offload.yaml', 'onUnreachable: wait\ntimeouts: { connect: 1s }\n')
    await setMaxJobs(1)
    const refusing = farm.builder('refusing')
    let log = ''
    const building = build('waits-by-choice', 'only-refusing', (text) => (log += text))
    await waitFor('the machine to be found dead', () => reasons.refusing.test(log), 20_000)
    await refusing.startSshd()
    const { failure, drv } = await building
    expect(failure).toBeUndefined()
    expect((await farm.history()).filter((entry) => entry['derivation'] === drv)).toMatchObject([{ machine: 'refusing:22', outcome: 'built' }])
  })
})
