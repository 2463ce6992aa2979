/** Strategies that ask before they choose, on real machines: by load and pressure, by what is there already. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { takenSlots } from '../support/leftovers.js'
import { buildersWith, uniqueMarker } from '../support/master-view.js'
import { buildDerivation, buildDerivations, type DerivationSpec } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm
const quick: DerivationSpec = { name: 'strategies', script: 'echo > $out' }

beforeAll(async () => {
  farm = await startFarm({
    name: 'strategies',
    fields: { parallelBuilds: 4 },
    builders: [{ name: 'fast', fields: { speed: 1.5, features: ['fast'] } }, { name: 'slow', fields: { speed: 1, features: ['slow'] } }],
  })
  await Promise.all(farm.builders.map((machine) => pretend(machine, idle)))
})

afterAll(() => farm[Symbol.asyncDispose]())

const strategy = (name: string) => farm.master.writeFile('/etc/guix/offload.yaml', `scheduler: ${name}\n`)
const machineOf = async (derivation: string) => (await farm.history()).filter((entry) => entry['derivation'] === derivation).map((entry) => entry['machine'])

interface Pretence {
  readonly load: number
  /** Undefined: a kernel that does not tell. */
  readonly pressure?: number
}
const idle: Pretence = { load: 0, pressure: 0 }

/** All machines of a bed share one kernel: what it says of itself is put over for each of them, where the probe reads it. */
async function pretend(machine: Machine, { load, pressure }: Pretence): Promise<void> {
  const files = {
    '/proc/loadavg': `${load.toFixed(2)} 0.00 0.00 1/100 1000\n`,
    '/proc/pressure/cpu': pressure === undefined ? '' : `some avg10=${(pressure * 100).toFixed(2)} avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n`,
  }
  for (const [path, text] of Object.entries(files)) {
    const copy = `/run/pretended${path.replaceAll('/', '-')}`
    // Written in place: what is mounted is this file, not its name.
    await machine.sh(`cat > ${copy}; grep -q ' ${path} ' /proc/mounts || mount --bind ${copy} ${path}`, { input: text })
  }
  await farm.forgetFailures()
}

const logins = async (machine: Machine): Promise<number> => (await machine.serviceLog('sshd')).match(/Accepted publickey/g)?.length ?? 0

describe('least-loaded', () => {
  beforeAll(() => strategy('least-loaded'))
  beforeEach(() => farm.forgetFailures())

  const chosen = async (): Promise<string> => {
    const { drv, failure, log } = await buildDerivation(farm.master, quick)
    expect(failure, log).toBeUndefined()
    return (await machineOf(drv)).join(' ')
  }
  const [fast, slow] = ['fast:22', 'slow:22']
  const cores = async () => Number(await farm.builder('fast').sh('nproc'))

  it.each<[string, Pretence, Pretence, string]>([
    ['the fast one, both idle', idle, idle, fast],
    ['the slow one, where the fast one is under pressure', { load: 0, pressure: 0.9 }, idle, slow],
    ['the fast one, where it is only its load average that has not come down', { load: 1000, pressure: 0 }, idle, fast],
  ])('takes %s', async (_, ofFast, ofSlow, expected) => {
    await pretend(farm.builder('fast'), ofFast)
    await pretend(farm.builder('slow'), ofSlow)
    expect(await chosen()).toBe(expected)
  })

  it('goes by the load average where there is no pressure to be seen', async () => {
    await pretend(farm.builder('fast'), { load: (await cores()) * 0.9 })
    await pretend(farm.builder('slow'), { load: 0 })
    expect(await chosen()).toBe(slow)
  })

  it('takes the one with free slots, and makes one connection to it and at most one to each other', async () => {
    await Promise.all(farm.builders.map((machine) => pretend(machine, idle)))
    const marker = uniqueMarker()
    const long = ['1', '2', '3'].map((number) => ({ name: `long-${number}`, script: `${marker}; sleep 600; echo > $out`, features: ['fast'] }))
    const cancel = new AbortController()
    const building = buildDerivations(farm.master, long, { signal: cancel.signal }).catch(() => undefined)
    await waitFor('three of four slots to be taken', async () => (await buildersWith(marker)).length >= 3, 60_000)
    await farm.forgetFailures()
    const before = await Promise.all(farm.builders.map(logins))
    expect(await chosen()).toBe(slow)
    const after = await Promise.all(farm.builders.map(logins))
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([1, 1])
    cancel.abort()
    await building
    await waitFor('the slots to be given back', async () => (await takenSlots(farm)).length === 0, 60_000)
  })

  it('asks no machine again that has answered another build a moment ago', async () => {
    await chosen()
    const before = await Promise.all(farm.builders.map(logins))
    const { derivations, failure } = await buildDerivations(farm.master, [1, 2, 3].map((number) => ({ ...quick, name: `again-${number}` })))
    expect(failure).toBeUndefined()
    expect(derivations.every(({ built }) => built)).toBe(true)
    const after = await Promise.all(farm.builders.map(logins))
    // One connection for each build.
    expect(after.reduce((sum, count) => sum + count, 0) - before.reduce((sum, count) => sum + count, 0)).toBe(3)
  })

  it('builds where it can while the other machine is down', async () => {
    await farm.builder('fast').sshd.stop()
    try {
      expect(await chosen()).toBe(slow)
    } finally {
      await farm.builder('fast').startSshd()
    }
  })
})

describe('locality', () => {
  const megabytes = 60
  /** Made on the slow machine, so that it is there and here. */
  const big: DerivationSpec = { name: 'big', script: `dd if=/dev/urandom of=$out bs=1M count=${megabytes} 2>/dev/null`, features: ['slow'], uniqueness: `big-${Date.now()}` }
  const user = (name: string): DerivationSpec => ({ name, script: 'wc -c < $big > $out', inputs: { big } })
  let bigPath = ''

  beforeAll(async () => {
    await strategy('locality')
    await farm.master.sh('rm -f /var/guix/offload/history.jsonl')
    await Promise.all(farm.builders.map((machine) => pretend(machine, idle)))
    // Either has what every builder here needs, and is known to.
    const { failure, derivations: [made] } = await buildDerivations(farm.master, [big, { ...quick, features: ['fast'] }])
    expect(failure).toBeUndefined()
    bigPath = made?.outputs['out'] ?? ''
  })
  beforeEach(() => farm.forgetFailures())

  it('takes the fast machine for what needs nothing big', async () => {
    // Of `quick` it is known how quick it is: there a slow round trip would count for more than the speed.
    const { drv, failure } = await buildDerivation(farm.master, { ...quick, name: 'unknown' })
    expect(failure).toBeUndefined()
    expect(await machineOf(drv)).toEqual(['fast:22'])
  })

  it('takes the machine that has the big input, though the other one is faster', async () => {
    const { drv, failure, log } = await buildDerivation(farm.master, user('user'))
    expect(failure).toBeUndefined()
    expect(await machineOf(drv)).toEqual(['slow:22'])
    expect(log).not.toMatch(new RegExp(`sending .*\\(${megabytes} MiB\\)`))
  })

  it('believes what the machine says rather than what was remembered', async () => {
    // Collected there without our knowledge, and what has been built from it.
    await farm.builder('slow').sh(`guix gc --delete $(guix gc --referrers ${bigPath}) ${bigPath}`)
    const { drv, failure, log } = await buildDerivation(farm.master, user('believer'))
    expect(failure).toBeUndefined()
    expect(await machineOf(drv)).toEqual(['slow:22'])
    expect(log).toMatch(new RegExp(`sending .*\\(${megabytes} MiB\\)`))
    const record = await farm.master.readFile('/var/guix/offload/slow:22/items')
    const mark = bigPath.slice('/gnu/store/'.length, '/gnu/store/'.length + 8)
    expect(record.split('\n').filter((line) => line.slice(1) === mark).map(([sign]) => sign)).toEqual(['+', '-', '+'])
  })

  it('takes the fast machine where the one with the big input is under pressure, if the build is long', async () => {
    await farm.master.sh(`cat > /var/guix/offload/history.jsonl`, { input: `${JSON.stringify({ derivation: '/gnu/store/8ywccyr4c5hc6jhzq5y84kfqyc9a1v3y-longer-1.drv', machine: 'fast:22', outcome: 'built', seconds: { build: 3600 } })}\n` })
    await pretend(farm.builder('slow'), { load: 0, pressure: 0.9 })
    const { drv, failure } = await buildDerivation(farm.master, user('longer-2'))
    expect(failure).toBeUndefined()
    expect(await machineOf(drv)).toEqual(['fast:22'])
  })
})
