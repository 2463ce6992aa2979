/** What hooks remember of machines from each other, and what people say about them. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { takenSlots } from '../support/leftovers.js'
import { buildersWith, uniqueMarker } from '../support/master-view.js'
import { checkoutInMachine, nodeInMachine } from '../testbed/bed.js'
import { buildDerivation } from '../testbed/derivations.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'
import { waitFor } from '../testbed/wait.js'

const connectSeconds = 3
/** Takes connections and says nothing. */
const silentPort = 2323
const connections = '/tmp/connections'

interface Health {
  readonly failures: number
  readonly since: number
  readonly at: number
  readonly until: number
  readonly stage: string
  readonly code: string
}

interface Status {
  readonly name: string
  readonly disabled: { readonly until: string | null; readonly by: string | null } | null
  readonly setAside: { readonly until: string; readonly failures: number; readonly lastError: { readonly code: string; readonly message: string } } | null
  readonly lastProbe: { readonly at: string } | null
  readonly error: unknown
}

let farm: Farm

beforeAll(async () => {
  farm = await startFarm({ name: 'health', master: { daemon: 'unprivileged', maxJobs: 4 }, builders: [{ name: 'good' }, { name: 'other' }, { name: 'hole' }] })
  const { master } = farm
  const [good, other, hole] = ['good', 'other', 'hole'].map((name) => farm.builder(name)) as [typeof master, typeof master, typeof master]
  const privateKey = await master.installUserKey()
  await writeMachinesScm(master, [
    [good, { features: ['pair', 'only-good', 'beside-hole'], speed: 2, parallelBuilds: 4 }],
    [other, { features: ['pair'], speed: 1, parallelBuilds: 4 }],
    [hole, { features: ['only-hole', 'beside-hole'], speed: 3, parallelBuilds: 4 }],
    [other, { port: silentPort, features: ['only-silent'], parallelBuilds: 9 }],
  ], { privateKey })
  await master.writeFile('/etc/guix/offload.yaml', `timeouts: { connect: ${connectSeconds}s, handshake: ${connectSeconds}s }\n`, 0o644, 'guix-daemon')
  other.spawn(['socat', `TCP-LISTEN:${silentPort},fork,reuseaddr`, `SYSTEM:echo one >> ${connections}; sleep 20`]).catch(() => undefined)
})
afterAll(() => farm[Symbol.asyncDispose]())
beforeEach(async () => {
  await farm.forgetFailures()
  await farm.master.sh('rm -f /var/guix/offload/*/disabled.json')
})

const build = (name: string, feature: string, { script = 'echo built > $out', onLog = (_text: string): void => undefined } = {}) =>
  buildDerivation(farm.master, { name, script, features: [feature] }, { onLog })

const machineOf = async (drv: string) => (await farm.history()).filter((entry) => entry['derivation'] === drv).map((entry) => `${String(entry['machine'])} ${String(entry['outcome'])}`)

const healthFile = (machine: string) => `/var/guix/offload/${machine}/health.json`
const healthOf = async (machine: string): Promise<Health | undefined> => {
  const text = await farm.master.sh(`cat ${healthFile(machine)} 2> /dev/null || true`)
  return text === '' ? undefined : (JSON.parse(text) as Health)
}

/** As if its rest were over: a quarter of a minute is long in a test. */
const endRest = async (machine: string) => {
  const health = (await healthOf(machine)) as Health
  const earlier = 700_000
  const aged = { ...health, since: health.since - earlier, at: health.at - earlier, until: health.until - earlier }
  await farm.master.writeFile(healthFile(machine), JSON.stringify(aged), 0o644, 'guix-daemon')
}

/** Connections that the master has begun since it was brought up. */
const begun = async () => {
  const lines = (await farm.master.readFile('/proc/net/snmp')).split('\n').filter((line) => line.startsWith('Tcp:')).map((line) => line.split(' '))
  return Number(lines[1]?.[lines[0]?.indexOf('ActiveOpens') ?? -1])
}

const setMaxJobs = async (maxJobs: number) => {
  farm.master.daemon.configure({ maxJobs })
  await farm.master.daemon.restart()
}

const asRoot = (...words: string[]) => farm.master.run([nodeInMachine, `${checkoutInMachine}/bin/run.js`, ...words], { user: 'root', reject: false })
const statusOf = async (name: string) => {
  const { stdout } = await asRoot('status', '/etc/guix/machines.scm', `^${name}$`, '--json')
  return (JSON.parse(String(stdout)) as Status[])[0] as Status
}

describe('a machine that cannot be reached', () => {
  it('costs one connect time-out, and from then on nothing', async () => {
    await farm.builder('hole').disconnect()
    const first = await build('hole-first', 'only-hole')
    expect(first.built, first.log).toBe(true)
    expect(first.log).toMatch(/machine 'hole:22': connect: connecting: /)
    const before = await healthOf('hole:22')
    expect(before).toMatchObject({ failures: 1, stage: 'reach', code: expect.stringMatching(/^(connect-timeout|network-unreachable)$/) as string })

    const connects = await begun()
    const second = await build('hole-second', 'only-hole')
    expect(second.built, second.log).toBe(true)
    expect(second.log).not.toContain('@ build-remote')
    expect(second.log).toMatch(/machine 'hole:22': set aside until \d\d:\d\d:\d\d: connecting: .* at \d\d:\d\d:\d\d$/m)
    expect(await begun(), 'nothing was even tried').toBe(connects)
    expect(await healthOf('hole:22')).toEqual(before)
    console.info(`with the machine in a black hole: ${first.milliseconds} ms, then ${second.milliseconds} ms`)

    const status = await statusOf('hole')
    expect(status).toMatchObject({ setAside: { failures: 1, until: new Date(before?.until ?? 0).toISOString(), lastError: { code: before?.code } }, disabled: null })
    expect(status.error).not.toBeNull()
    const { stdout } = await asRoot('status', '/etc/guix/machines.scm', '^hole$')
    expect(String(stdout)).toMatch(/^ {2}not used: set aside until \d\d:\d\d:\d\d: connecting: .*$/m)
    expect(String((await asRoot('machines')).stdout)).toMatch(/^hole:22 \(set aside\)\t/m)
  })

  it('rests longer when it has not come back, and is as good as new when it has', async () => {
    const hole = farm.builder('hole')
    await hole.disconnect()
    expect((await build('hole-again', 'only-hole')).built).toBe(true)
    await endRest('hole:22')
    expect((await build('hole-tried-again', 'only-hole')).built).toBe(true)
    await waitFor('the trial to end', async () => (await healthOf('hole:22'))?.failures === 2, 20_000)
    const { at, until } = (await healthOf('hole:22')) as Health
    expect((until - at) / 1000).toBeGreaterThanOrEqual(24)
    expect((until - at) / 1000).toBeLessThanOrEqual(30)

    await hole.reconnect()
    await endRest('hole:22')
    const back = await build('hole-back', 'only-hole')
    expect(back.built, back.log).toBe(true)
    // The trial may have been too slow for that build; the next one finds its result.
    await waitFor('it to be cleared', async () => (await healthOf('hole:22')) === undefined, 20_000)
    const next = await build('hole-used', 'only-hole')
    expect(await machineOf(next.drv)).toEqual(['hole:22 built'])
  })

  it('is tried by one of many hooks, when its time has come', async () => {
    const { master } = farm
    const other = farm.builder('other')
    const count = async () => Number(await other.sh(`wc -l < ${connections} 2> /dev/null || echo 0`))
    const many = async (name: string) => {
      const outcomes = await Promise.all(Array.from({ length: 4 }, (_, index) => build(`${name}-${index}`, 'only-silent')))
      for (const { built, log } of outcomes) expect(built, log).toBe(true)
      return outcomes
    }
    await many('silent-first')
    const first = await count()
    expect(first).toBeGreaterThanOrEqual(1)
    expect(await healthOf(`other:${silentPort}`), 'one loss, however many have seen it').toMatchObject({ failures: 1, stage: 'reach' })

    await many('silent-second')
    expect(await count()).toBe(first)

    await endRest(`other:${silentPort}`)
    const third = await many('silent-third')
    expect(await count()).toBe(first + 1)
    for (const { log } of third) expect(log).toMatch(/set aside until .*(it is being tried again|another process is trying it again|another process has just tried it again|failure 2 in a row)$/m)
    await waitFor('the trial to end', async () => (await healthOf(`other:${silentPort}`))?.failures === 2, 20_000)
    expect(await takenSlots(farm)).toEqual([])
    expect(await master.sh('find /var/guix/offload ! -user guix-daemon'), 'all of it is the hook\'s own').toBe('')
  })

  it('is no brake for those that have another', async () => {
    await farm.builder('hole').disconnect()
    const seconds: number[] = []
    for (const name of ['first', 'second', 'third']) {
      const { drv, built, log } = await build(`beside-hole-${name}`, 'beside-hole')
      expect(built, log).toBe(true)
      const [entry] = (await farm.history()).filter(({ derivation }) => derivation === drv)
      expect(entry).toMatchObject({ machine: 'good:22', outcome: 'built' })
      seconds.push((entry?.['seconds'] as { select: number }).select)
    }
    console.info(`chosen beside a machine in a black hole within ${seconds.map((value) => `${value} s`).join(', ')}`)
    // Either it was noticed that it is slow, or its failure came in time.
    const noted = await farm.master.sh('ls /var/guix/offload/hole:22')
    expect(noted).toMatch(/^(slow|health)\.json$/m)
    await farm.builder('hole').reconnect()
  })
})

describe('a machine that is lost while it works', () => {
  it('is set aside, shown by status, and cleared by a test that passes', async () => {
    const good = farm.builder('good')
    const marker = uniqueMarker()
    const building = build('lost-at-work', 'pair', { script: `${marker}; sleep 3; echo > $out` })
    await waitFor('good to build', async () => (await buildersWith(marker)).length > 0, 30_000)
    await good.daemon.kill()
    const { drv, built, log } = await building
    expect(built, log).toBe(true)
    expect(await machineOf(drv)).toEqual(['good:22 machine-failed', 'other:22 built'])
    expect(await healthOf('good:22')).toMatchObject({ failures: 1, stage: 'use', code: 'daemon-connection-lost' })
    const next = await build('lost-at-work-next', 'pair')
    expect(await machineOf(next.drv)).toEqual(['other:22 built'])

    await good.daemon.start()
    expect(await statusOf('good')).toMatchObject({ setAside: { failures: 1, lastError: { code: 'daemon-connection-lost' } }, error: null })
    expect((await asRoot('test', '/etc/guix/machines.scm', '^good$')).exitCode).toBe(0)
    expect(await statusOf('good')).toMatchObject({ setAside: null })
    const last = await build('lost-at-work-last', 'pair')
    expect(await machineOf(last.drv)).toEqual(['good:22 built'])
  })

  it('is not blamed for a build that fails', async () => {
    const failing = await build('fails', 'only-good', { script: 'exit 1' })
    expect(failing.failure).toMatchObject({ status: 100 })
    expect(await healthOf('good:22')).toBeUndefined()
  })

  it('is described anew, and so tried at once', async () => {
    const { master } = farm
    const scheme = await master.readFile('/etc/guix/machines.scm')
    await master.writeFile('/etc/guix/machines.scm', scheme.replaceAll(farm.builder('good').hostKey, farm.builder('other').hostKey))
    const wrong = await build('wrong-host-key', 'only-good')
    expect(wrong.log).toMatch(/machine 'good:22': connect: .*host key/)
    expect(await healthOf('good:22')).toMatchObject({ code: 'host-key-mismatch' })
    await master.writeFile('/etc/guix/machines.scm', scheme)
    const right = await build('right-host-key', 'only-good')
    expect(await machineOf(right.drv)).toEqual(['good:22 built'])
  })
})

describe('people', () => {
  const disabledFile = '/var/guix/offload/good:22/disabled.json'

  it('disable a machine for a time: builds are done here, or wait for it', async () => {
    const { stdout, stderr, exitCode } = await asRoot('machines', 'disable', 'go*', '--for', '2h')
    expect({ stdout, stderr, exitCode }).toMatchObject({ stderr: '', exitCode: 0 })
    expect(String(stdout)).toMatch(/^good:22: disabled until \d{4}-\d\d-\d\d \d\d:\d\d: by root at \S+ \S+; no build of this host runs there$/)
    expect(await farm.master.sh(`stat -c %U ${disabledFile}`)).toBe('guix-daemon')

    const here = await build('disabled-here', 'only-good')
    expect(here.built, here.log).toBe(true)
    expect(here.log).not.toContain('@ build-remote')
    expect(here.log).toMatch(/^machine 'good:22': disabled until .*: by root at /m)
    const pair = await build('disabled-pair', 'pair')
    expect(await machineOf(pair.drv)).toEqual(['other:22 built'])

    expect(await statusOf('good')).toMatchObject({ disabled: { by: 'root' }, setAside: null, error: null })
    const { machines } = JSON.parse(String((await asRoot('machines', '--json')).stdout)) as { machines: { name: string; disabled: unknown }[] }
    expect(machines.map(({ name, disabled }) => `${name} ${disabled === null ? 'in use' : 'disabled'}`)).toEqual(['good disabled', 'other in use', 'hole in use', 'other in use'])
    expect(String((await asRoot('machines')).stdout)).toMatch(/^good:22 \(disabled until \d{4}-/m)

    await setMaxJobs(0)
    try {
      let log = ''
      const waiting = build('disabled-waits', 'only-good', { onLog: (text) => (log += text) })
      await waitFor('the hook to postpone it', () => /^machine 'good:22': disabled until /m.test(log), 30_000)
      const enabled = await asRoot('machines', 'enable', 'good', '--json')
      expect(JSON.parse(String(enabled.stdout))).toMatchObject([{ name: 'good', disabled: null, runningBuilds: 0 }])
      const { drv, failure } = await waiting
      expect(failure).toBeUndefined()
      expect(await machineOf(drv)).toEqual(['good:22 built'])

      // And by itself when the time is over.
      expect((await asRoot('machines', 'disable', 'good:22', '--for', '3s')).exitCode).toBe(0)
      const later = await build('disabled-for-a-moment', 'only-good')
      expect(await machineOf(later.drv)).toEqual(['good:22 built'])
    } finally {
      await setMaxJobs(4)
    }
  })

  it('drain a machine: what runs there ends in peace, and nothing new begins', async () => {
    const marker = uniqueMarker()
    const building = build('drained', 'only-good', { script: `${marker}; sleep 6; echo > $out` })
    await waitFor('good to build', async () => (await buildersWith(marker)).length > 0, 30_000)
    const draining = asRoot('machines', 'drain', 'good', '--wait').then((result) => ({ ...result, at: performance.now() }))
    await waitFor('it to be disabled', async () => (await farm.master.sh(`ls ${disabledFile} 2> /dev/null || true`)) !== '', 30_000)
    const now = await asRoot('machines', 'drain', 'good', '--json')
    expect(JSON.parse(String(now.stdout))).toMatchObject([{ name: 'good', disabled: { until: null }, runningBuilds: 1, processes: expect.any(Array) as number[] }])
    const next = await build('drained-next', 'pair')
    expect(await machineOf(next.drv)).toEqual(['other:22 built'])
    const { drv, built } = await building
    expect(built).toBe(true)
    expect(await machineOf(drv)).toEqual(['good:22 built'])
    const drained = await draining
    expect(drained.exitCode).toBe(0)
    expect(String(drained.stdout)).toMatch(/^good:22: disabled until it is enabled: by root at .*; 1 build of this host still runs there.*\ngood:22: idle$/)
    expect(String((await asRoot('machines', 'enable', '*')).stdout)).toBe('good:22: enabled\nother:22: enabled; it was so before\nhole:22: enabled; it was so before\nother:2323: enabled; it was so before')
  })

  it('enable what is set aside, to have it tried at once', async () => {
    const good = farm.builder('good')
    await good.sshd.stop()
    expect((await build('set-aside', 'only-good')).built).toBe(true)
    await good.sshd.start()
    expect(await healthOf('good:22')).toMatchObject({ code: 'connection-refused' })
    expect(String((await asRoot('machines', 'enable', 'good')).stdout)).toMatch(/^good:22: enabled; it was set aside until .*nothing listens/)
    const { drv } = await build('set-aside-no-more', 'only-good')
    expect(await machineOf(drv)).toEqual(['good:22 built'])
  })

  it('are told what is wrong with what they say', async () => {
    expect(await asRoot('machines', 'disable', 'goood')).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringMatching(/there is no build machine "goood", did you mean good\?/) as string })
    expect(await asRoot('machines', 'disable', 'good', '--for', 'ever')).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/"ever" is no time \(expected a time such as 30m, 2h or 1d\)/) as string })
    expect((await asRoot('machines', 'enable')).exitCode).toBe(2)
    expect(await farm.master.sh(`ls ${disabledFile} 2> /dev/null || true`)).toBe('')
  })

  it('have the configuration file honoured', async () => {
    const { master } = farm
    const file = '/etc/guix/offload.yaml'
    const usual = await master.readFile(file)
    await master.writeFile(file, `${usual}\nmachines: { good: { disabled: true } }\n`, 0o644, 'guix-daemon')
    const { built, log } = await build('disabled-by-file', 'only-good')
    expect(built, log).toBe(true)
    expect(log).not.toContain('@ build-remote')
    expect(String((await asRoot('status', '/etc/guix/machines.scm', '^good$')).stdout)).toContain('  not used: disabled in the configuration')
    await master.writeFile(file, usual, 0o644, 'guix-daemon')
  })
})
