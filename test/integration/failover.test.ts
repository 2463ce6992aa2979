/** A machine that is lost after it was chosen: the next one takes over in the same process. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { heldStoreLocks, leftOnMaster, servants, strangersAfterInterruption, takenSlots } from '../support/leftovers.js'
import { daemonKilled, daemonStopped, linkLost, sshdKilled } from '../support/machine-faults.js'
import { buildersWith, hookProcesses, uniqueMarker } from '../support/master-view.js'
import { buildDerivation, type DerivationSpec } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm
const mebibyte = 2 ** 20

beforeAll(async () => {
  farm = await startFarm({
    name: 'failover',
    builders: [
      { name: 'b1', fields: { speed: 3, features: ['pair', 'three', 'alone'] } },
      { name: 'b2', fields: { speed: 2, features: ['pair', 'three', 'second'] } },
      { name: 'b3', fields: { speed: 1, features: ['three'] } },
    ],
  })
  // A silent link is given up after about a second.
  await farm.master.writeFile('/etc/guix/offload.yaml', 'timeouts: { connect: 2s, keepAlive: 300ms, keepAliveMisses: 3, stall: 3s }\n')
  for (const feature of ['pair', 'alone']) await buildDerivation(farm.master, { name: 'first', script: 'echo > $out', features: [feature] })
})

beforeEach(() => farm.forgetFailures())

afterAll(() => farm[Symbol.asyncDispose]())

type Phase = 'send' | 'build' | 'fetch'
const phases: readonly Phase[] = ['send', 'build', 'fetch']

/** What is built, what of it can be foretold, and how to tell that machine `name` is in that phase. */
const scene = async (phase: Phase, marker: string, feature: string) => {
  const common = { name: `lost-during-${phase}`, features: [feature] }
  const answer = `echo the answer is $((6 * 7)) > $out`
  const inPhase: Readonly<Record<Phase, { readonly spec: DerivationSpec; readonly reached: (log: string, name: string) => Promise<boolean> }>> = {
    send: {
      spec: { ...common, script: `${marker}; tail -c 1 $BIG/data > /dev/null; ${answer}`, sources: { BIG: '/tmp/big' } },
      reached: async (log, name) => log.includes(`sending 2 store items (12 MiB) to '${name}'`) && (await isMoving('tx')),
    },
    build: { spec: { ...common, script: `${marker}; sleep 2; ${answer}` }, reached: async () => (await buildersWith(marker)).length > 0 },
    fetch: {
      spec: { ...common, script: `${marker}; [ -e /nowhere ] || mkdir $out; head -c ${12 * mebibyte} /dev/zero | tr '\\0' 'x' > $out/data; echo the answer is $((6 * 7)) > $out/answer` },
      reached: async (log, name) => log.includes(`retrieving 1 store item from '${name}'`) && (await isMoving('rx')),
    },
  }
  if (phase === 'send') await farm.master.sh(`rm -rf /tmp/big; mkdir /tmp/big; head -c ${12 * mebibyte} /dev/urandom > /tmp/big/data`)
  return inPhase[phase]
}

const isMoving = async (direction: 'rx' | 'tx') => {
  const moved = async () => Number((await farm.master.sh(`cat /sys/class/net/eth0/statistics/${direction}_bytes`)).trim())
  const before = await moved()
  await new Promise((resolve) => setTimeout(resolve, 200))
  return (await moved()) - before > 100_000
}

/** Machines that are not chosen for now, as their SSH servers do not answer; resolves to what makes them answer again. */
const outOfTheRace = async (...names: readonly string[]) => {
  const servers = names.map((name) => farm.builder(name).sshd)
  for (const server of servers) await server.pause()
  return async () => {
    for (const server of servers) await server.resume()
  }
}

const ways = {
  'its SSH server is killed': sshdKilled,
  'its daemon is killed': daemonKilled,
  'its daemon hangs': daemonStopped,
  'its cable is cut': linkLost,
} as const
type Way = keyof typeof ways

/** Loses b1 in that phase; b2 is to take over. */
const lost = async (phase: Phase, end: (machine: Machine) => Promise<unknown>, feature = 'pair') => {
  const b1 = farm.builder('b1')
  const marker = uniqueMarker()
  const { spec, reached } = await scene(phase, marker, feature)
  if (phase !== 'build') await b1.limitBandwidth('16mbit')
  // Or a busy host might let the better machine lose the race for the first choice.
  const resume = await outOfTheRace('b2')
  let log = ''
  let hooks: number[] = []
  const building = buildDerivation(farm.master, spec, { onLog: (text) => (log += text) })
  let ended = 0
  try {
    await waitFor(`b1 to be in phase ${phase}`, () => reached(log, 'b1'), 30_000)
    hooks = (await hookProcesses(farm.master)).map(({ hostPid }) => hostPid)
    await resume()
    ended = performance.now()
    await end(b1)
    await waitFor('the next machine', () => /trying 'b2'/.test(log), 20_000)
  } catch (error) {
    throw new Error(`${String(error)}\n${log}`)
  }
  const noticed = Math.round(performance.now() - ended)
  const sameHooks = (await hookProcesses(farm.master)).map(({ hostPid }) => hostPid)
  const outcome = await building
  const history = (await farm.history()).filter((entry) => entry['derivation'] === outcome.drv)
  return { outcome, history, noticed, hooks, sameHooks, marker }
}

const expectRight = async ({ outcome, history, hooks, sameHooks }: Awaited<ReturnType<typeof lost>>, phase: Phase) => {
  const { failure, built, outputs, log } = outcome
  expect(failure).toBeUndefined()
  expect(built).toBe(true)
  const out = outputs['out'] ?? ''
  if (phase === 'fetch') expect((await farm.master.sh(`wc -c < ${out}/data`)).trim()).toBe(String(12 * mebibyte))
  expect(await farm.master.readFile(phase === 'fetch' ? `${out}/answer` : out)).toContain('the answer is 42')
  expect(log).toMatch(/^'b1' failed \([a-z-]+\); trying 'b2'$/m)
  expect(log.match(/^@ build-started /gm)).toHaveLength(1)
  expect(hooks).toHaveLength(1)
  expect(sameHooks).toEqual(hooks)
  expect(history).toMatchObject([{ machine: 'b1:22', outcome: 'machine-failed' }, { machine: 'b2:22', outcome: 'built' }])
  expect(await takenSlots(farm)).toEqual([])
  expect(await heldStoreLocks(farm.master)).toEqual([])
  expect(await leftOnMaster(farm)).toEqual([])
}

const cases = (Object.keys(ways) as Way[]).flatMap((way) => phases.filter((phase) => !(way === 'its daemon hangs' && phase === 'build')).map((phase) => [way, phase] as const))

describe('another machine takes over when', () => {
  it.each(cases)('%s during: %s', async (way, phase) => {
    const b1 = farm.builder('b1')
    const seen = await lost(phase, ways[way].strike)
    await ways[way].mend(b1)
    await b1.limitBandwidth(undefined)
    console.info(`${way} during ${phase}: noticed after ${seen.noticed} ms, ${JSON.stringify(seen.history.map((entry) => (entry['error'] as { code: string } | undefined)?.code))}`)
    await expectRight(seen, phase)
    // It may believe in a cut connection for long; otherwise nobody goes on working there for us.
    if (way === 'its cable is cut') return
    await waitFor('b1 to have nothing to do', async () => (await servants(b1)).length === 0, 30_000)
    // A daemon that is killed outright cannot clean up.
    if (way === 'its SSH server is killed') expect(await strangersAfterInterruption(b1)).toEqual([])
  })
})

it('a third machine takes over when the second is lost as well', async () => {
  const marker = uniqueMarker()
  let log = ''
  const spec = { name: 'lost-twice', script: `${marker}; sleep 3; hostname > $out`, features: ['three'] }
  const resume = { b2: await outOfTheRace('b2'), b3: await outOfTheRace('b3') }
  const building = buildDerivation(farm.master, spec, { onLog: (text) => (log += text) })
  for (const [name, next] of [['b1', 'b2'], ['b2', 'b3']] as const) {
    await waitFor(`${name} to build`, async () => log.includes(`@ build-remote `) && log.includes(` ${name}\n`) && (await buildersWith(marker)).length > 0, 20_000)
    await resume[next]()
    await farm.builder(name).daemon.kill()
    await waitFor(`${next} to take over`, () => log.includes(`'${name}' failed (daemon-connection-lost); trying '${next}'\n`), 20_000)
  }
  const { failure, drv } = await building
  for (const name of ['b1', 'b2']) await farm.builder(name).daemon.start()
  expect(failure).toBeUndefined()
  expect((await farm.history()).filter((entry) => entry['derivation'] === drv).map((entry) => entry['machine'])).toEqual(['b1:22', 'b2:22', 'b3:22'])
})

it('a build whose machine is lost while the other one is busy waits for that', async () => {
  const [busy, marker] = [uniqueMarker(), uniqueMarker()]
  const first = buildDerivation(farm.master, { name: 'busy', script: `${busy}; sleep 7; echo > $out`, features: ['second'] })
  await waitFor('b2 to build', async () => (await buildersWith(busy)).length > 0, 20_000)
  let log = ''
  const building = buildDerivation(farm.master, { name: 'lost-while-busy', script: `${marker}; sleep 2; echo > $out`, features: ['pair'] }, { onLog: (text) => (log += text) })
  await waitFor('b1 to build', async () => (await buildersWith(marker)).length > 0, 20_000)
  await farm.builder('b1').daemon.kill()
  await waitFor('the hook to wait', () => log.includes('waiting until another machine can take'), 20_000)
  const { failure, drv } = await building
  await farm.builder('b1').daemon.start()
  expect(failure, log).toBeUndefined()
  expect((await first).failure).toBeUndefined()
  expect((await farm.history()).filter((entry) => entry['derivation'] === drv).map((entry) => entry['machine'])).toEqual(['b1:22', 'b2:22'])
})

it('a machine that is lost and has no deputy fails the build, and says so', async () => {
  const marker = uniqueMarker()
  const building = buildDerivation(farm.master, { name: 'lost-alone', script: `${marker}; sleep 5; echo > $out`, features: ['alone'] })
  await waitFor('b1 to build', async () => (await buildersWith(marker)).length > 0, 20_000)
  await farm.builder('b1').daemon.kill()
  const { failure, log, drv } = await building
  await farm.builder('b1').daemon.start()
  expect(failure).toMatchObject({ status: 1 })
  expect(log).toContain(`derivation '${drv}' offloaded to 'b1' failed: b1: ${drv}: building: the daemon closed the connection before it had answered`)
  expect(log).toContain(`no other machine can take '${drv}' now`)
  expect(await leftOnMaster(farm)).toEqual([])
})

it('another machine takes over when one is switched off', async () => {
  const seen = await lost('build', (machine) => machine.powerOff())
  console.info(`switched off during build: noticed after ${seen.noticed} ms`)
  await expectRight(seen, 'build')
})
