/**
 * The hook is told to stop, in each of the ways there are, and what it writes to goes away: the remote build ends within seconds, and nothing is left on either side. SIGKILL, and a
 * client that goes away, in every phase: interrupted.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, installHook, startFarm } from '../support/farm.js'
import { leftOnMaster, settledAfterKill } from '../support/leftovers.js'
import { buildersWith, hookProcesses, logBytes, uniqueMarker } from '../support/master-view.js'
import { buildDerivation, type DerivationSpec } from '../testbed/derivations.js'
import { processRow } from '../testbed/processes.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm
const mebibyte = 2 ** 20

beforeAll(async () => {
  farm = await startFarm({ name: 'endings', builders: [{ name: 'b1' }] })
  const { failure, log } = await buildDerivation(farm.master, { name: 'first', script: 'echo > $out' })
  expect(failure, log).toBeUndefined()
})
afterAll(() => farm[Symbol.asyncDispose]())

const chatty = '[ -e /nowhere ] || for i in $(seq 1 100000); do echo tick; sleep 0.01; done'
const silent = 'sleep 1000'
const kinds = { chatty, silent } as const

const hookPid = async (): Promise<number> => {
  const [hook] = await hookProcesses(farm.master)
  if (hook === undefined) throw new Error('No hook runs')
  return hook.hostPid
}

/** Runs a build until its builder works, then does that to the hook. */
const ended = async (kind: keyof typeof kinds, end: () => Promise<void>) => {
  const marker = uniqueMarker()
  const spec: DerivationSpec = { name: kind, script: `${marker}; echo begun; ${kinds[kind]}; echo > $out`, uniqueness: marker }
  let log = ''
  const building = buildDerivation(farm.master, spec, { onLog: (text) => (log += text) })
  await waitFor('the builder to run', async () => log.includes('begun') && (await buildersWith(marker)).length > 0, 30_000)
  await end()
  const settledIn = await settledAfterKill(farm, farm.builder('b1'), marker)
  return { outcome: await building, settledIn, marker }
}

const history = async () => (await farm.history()).at(-1)

/** Afterwards there is a daemon again. */
const waysOfTheDaemon: readonly { readonly what: string; readonly end: () => Promise<void> }[] = [
  {
    what: 'the process of the daemon that it serves is killed',
    async end() {
      const parent = (await processRow(await hookPid()))?.parent ?? 0
      expect(parent).toBeGreaterThan(1)
      process.kill(parent, 'SIGKILL')
    },
  },
  {
    what: 'the daemon of the master is killed with all its processes, and started again',
    async end() {
      await farm.master.daemon.kill()
      await farm.master.daemon.start()
    },
  },
  { what: 'the daemon of the master is restarted', end: () => farm.master.daemon.restart() },
]

describe.each(['chatty', 'silent'] as const)('a %s build', (kind) => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends with its hook on %s, which cleans up itself', async (signal) => {
    const { outcome, settledIn } = await ended(kind, async () => void process.kill(await hookPid(), signal))
    console.info(`${signal} during a ${kind} build: settled in ${settledIn} ms`)
    expect(outcome, outcome.log).toMatchObject({ built: false, failure: { status: 1 } })
    // It had the time to say so.
    expect(await history()).toMatchObject({ derivation: outcome.drv, outcome: 'cancelled', status: 1 })
    expect(await leftOnMaster(farm)).toEqual([])
  })

  it.each(waysOfTheDaemon)('ends when $what', async ({ end }) => {
    const marker = uniqueMarker()
    const spec: DerivationSpec = { name: `served-${kind}`, script: `${marker}; echo begun; ${kinds[kind]}; echo > $out`, uniqueness: marker }
    let log = ''
    const client = new AbortController()
    const onLog = (text: string): void => {
      log += text
    }
    const building: Promise<unknown> = buildDerivation(farm.master, spec, { onLog, signal: client.signal }).catch(() => undefined)
    await waitFor('the builder to run', async () => log.includes('begun') && (await buildersWith(marker)).length > 0, 30_000)
    await end()
    const settledIn = await settledAfterKill(farm, farm.builder('b1'), marker)
    console.info(`settled in ${settledIn} ms`)
    client.abort()
    await building
    const again = await buildDerivation(farm.master, { name: 'next', script: 'echo > $out' })
    expect(again.failure, again.log).toBeUndefined()
    expect(await leftOnMaster(farm)).toEqual([])
  })
})

describe('what the hook writes to', () => {
  afterAll(() => installHook(farm.master))

  it('a closed descriptor 4: the build is worth more than its log', async () => {
    await installHook(farm.master, { before: 'exec 4>&-' })
    const outcome = await buildDerivation(farm.master, { name: 'no-log', script: 'for i in $(seq 1 20000); do echo unheard; done; echo built > $out' })
    expect(outcome.failure, outcome.log).toBeUndefined()
    expect(await farm.master.readFile(outcome.outputs['out'] ?? '')).toBe('built')
    expect((await logBytes(farm.master, outcome.drv)).toString()).toBe('')
    expect(await leftOnMaster(farm)).toEqual([])
  })

  it('a log whose reader goes away in the middle: the build is worth more than its log', async () => {
    // The reader takes one line and is gone; the next writes are refused.
    await installHook(farm.master, { before: 'mkfifo /tmp/log-$$; (head -n 1 /tmp/log-$$ > /dev/null; rm /tmp/log-$$) & exec 4> /tmp/log-$$' })
    const outcome = await buildDerivation(farm.master, { name: 'half-log', script: 'for i in $(seq 1 20000); do echo unheard; done; echo built > $out' })
    expect(outcome.failure, outcome.log).toBeUndefined()
    expect(await farm.master.readFile(outcome.outputs['out'] ?? '')).toBe('built')
    expect(await leftOnMaster(farm)).toEqual([])
  })

  it.each(['chatty', 'silent'] as const)('nobody reads its messages any more during a %s build: it ends', async (kind) => {
    // The daemon's end of the pipe is replaced by one that stops reading after the build has been announced.
    await installHook(farm.master, {
      before: `mkfifo /tmp/messages-$$
( sed -u '/^@ build-remote/q' < /tmp/messages-$$ >&2; rm /tmp/messages-$$ ) &
exec > /tmp/messages-$$ 2>&1`,
    })
    const marker = uniqueMarker()
    const spec = { name: `unheard-${kind}`, script: `${marker}; ${kinds[kind]}; echo built > $out`, uniqueness: marker }
    const started = performance.now()
    const outcome = await buildDerivation(farm.master, spec)
    // Not the time that the build would have taken, by far.
    expect(performance.now() - started).toBeLessThan(60_000)
    expect(outcome.failure, outcome.log).toMatchObject({ status: 1 })
    await settledAfterKill(farm, farm.builder('b1'), marker)
    expect(await leftOnMaster(farm)).toEqual([])
  })
})

describe('what SIGKILL leaves', () => {
  it('is found and removed by the next hook, whatever that builds', async () => {
    await installHook(farm.master)
    const b1 = farm.builder('b1')
    await b1.limitBandwidth('8mbit')
    const marker = uniqueMarker()
    let log = ''
    const building = buildDerivation(farm.master, {
      name: 'killed', script: `${marker}; mkdir $out; head -c ${6 * mebibyte} /dev/urandom > $out/data; echo > $out/note`, uniqueness: marker,
    }, { onLog: (text) => (log += text) })
    const arriving = async () => Number(await farm.master.sh('cat /gnu/store/guix-offload-*/data 2> /dev/null | wc -c'))
    await waitFor('the output to arrive', async () => log.includes('retrieving') && (await arriving()) > mebibyte / 2, 30_000)
    process.kill(-(await hookPid()), 'SIGKILL')
    await building
    await settledAfterKill(farm, b1, marker)
    await b1.limitBandwidth(undefined)
    expect(await leftOnMaster(farm)).toHaveLength(2)
    const other = await buildDerivation(farm.master, { name: 'other', script: 'echo > $out' })
    expect(other.failure, other.log).toBeUndefined()
    expect(await leftOnMaster(farm)).toEqual([])
  })
})
