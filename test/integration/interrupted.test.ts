/**
 * A hook that is killed and a client that goes away, at any moment: the remote build ends within seconds, the slot is free, nothing is left on either side, and the next
 * build of the same derivation works.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { heldStoreLocks, leftOnMaster, servants, settledAfterKill, takenSlots } from '../support/leftovers.js'
import { buildersWith, hookProcesses, uniqueMarker } from '../support/master-view.js'
import { buildDerivation, type BuildOptions, type DerivationSpec } from '../testbed/derivations.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm
const mebibyte = 2 ** 20

beforeAll(async () => {
  farm = await startFarm({ name: 'interrupted', builders: [{ name: 'b1' }] })
  // What every derivation needs is there already.
  await buildDerivation(farm.master, { name: 'first', script: 'echo > $out' })
})

afterAll(() => farm[Symbol.asyncDispose]())

type Moment = 'send' | 'build' | 'silent build' | 'fetch'

/** A derivation that stays in that phase for a while, and how to tell that it is there. */
const scenes: Readonly<Record<Moment, (marker: string) => Promise<{ readonly spec: DerivationSpec; readonly reached: (log: string) => Promise<boolean> }>>> = {
  async send(marker) {
    await farm.master.sh(`rm -rf /tmp/big; mkdir /tmp/big; head -c ${12 * mebibyte} /dev/urandom > /tmp/big/data`)
    return {
      spec: { name: 'send', script: `${marker}; cp $BIG/data $out`, sources: { BIG: '/tmp/big' } },
      reached: async (log) => log.includes('sending 2 store items') && (await isMoving()),
    }
  },
  async 'build'(marker) {
    return {
      spec: { name: 'chatty', script: `${marker}; [ -e /nowhere ] || for i in $(seq 1 400); do echo tick; sleep 0.01; done; echo > $out` },
      reached: async (log) => log.includes('tick') && (await buildersWith(marker)).length > 0,
    }
  },
  async 'silent build'(marker) {
    return {
      spec: { name: 'silent', script: `${marker}; sleep 4; echo > $out` },
      reached: async () => (await buildersWith(marker)).length > 0,
    }
  },
  async fetch(marker) {
    return {
      spec: { name: 'fetch', script: `${marker}; mkdir $out; head -c ${12 * mebibyte} /dev/urandom > $out/data; echo done > $out/note` },
      reached: async (log) => log.includes('retrieving 1 store item') && (await arriving()) > mebibyte,
    }
  },
}

const arriving = async () => Number((await farm.master.sh('cat /gnu/store/guix-offload-*/data 2> /dev/null | wc -c')).trim())

const isMoving = async () => {
  const sent = async () => Number((await farm.master.sh('cat /sys/class/net/eth0/statistics/tx_bytes')).trim())
  const before = await sent()
  await new Promise((resolve) => setTimeout(resolve, 200))
  return (await sent()) - before > 100_000
}

/** Runs a build up to that moment, ends it in that way, and hands over what came of it. */
const interrupted = async (moment: Moment, end: (client: AbortController) => Promise<void>) => {
  const marker = uniqueMarker()
  const { spec: unnamed, reached } = await scenes[moment](marker)
  const spec = { ...unnamed, uniqueness: marker }
  const client = new AbortController()
  let log = ''
  const b1 = farm.builder('b1')
  const options: BuildOptions = { onLog: (text) => (log += text), signal: client.signal }
  if (moment === 'send' || moment === 'fetch') await b1.limitBandwidth('16mbit')
  const building = buildDerivation(farm.master, spec, options).catch((error: unknown) => error as Error)
  await waitFor(`a build in phase ${moment}`, () => reached(log), 30_000)
  // What is to be gone afterwards can be seen now.
  expect(await takenSlots(farm)).toEqual(['/var/guix/offload/b1:22/0'])
  expect((await heldStoreLocks(farm.master)).length).toBeGreaterThan(0)
  expect((await servants(b1)).length).toBeGreaterThan(1)
  await end(client)
  const settledIn = await settledAfterKill(farm, b1, marker)
  await b1.limitBandwidth(undefined)
  return { spec, outcome: await building, settledIn, log }
}

const moments: readonly Moment[] = ['send', 'build', 'silent build', 'fetch']

describe('the hook is killed, with its process group', () => {
  it.each(moments)('during: %s', async (moment) => {
    const { spec, outcome, settledIn } = await interrupted(moment, async () => {
      const [hook] = await hookProcesses(farm.master)
      if (hook === undefined) throw new Error('No hook runs')
      process.kill(-hook.hostPid, 'SIGKILL')
    })
    expect(outcome).toMatchObject({ built: false, failure: { status: 1 } })
    console.info(`killed during ${moment}: settled in ${settledIn} ms`)
    expect(await buildDerivation(farm.master, spec)).toMatchObject({ built: true, failure: undefined })
    expect(await leftOnMaster(farm)).toEqual([])
  })
})

describe('the client goes away', () => {
  it.each(moments)('during: %s', async (moment) => {
    const { spec, outcome, settledIn } = await interrupted(moment, async (client) => client.abort())
    expect(outcome).toBeInstanceOf(Error)
    console.info(`client gone during ${moment}: settled in ${settledIn} ms`)
    expect(await buildDerivation(farm.master, spec)).toMatchObject({ built: true, failure: undefined })
    expect(await leftOnMaster(farm)).toEqual([])
  })
})
