/** What happens at the same time as an offload: collections of garbage on both sides, others who send the same item to the same machine. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { collecting } from '../support/collecting.js'
import { type Farm, hookInMachine, installHook, startFarm } from '../support/farm.js'
import { leftOnMaster } from '../support/leftovers.js'
import { contentsComplaints } from '../support/store-facts.js'
import { buildDerivation, buildDerivations } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm
let secondMaster: Machine
const mebibyte = 2 ** 20

beforeAll(async () => {
  farm = await startFarm({ name: 'same-time', builders: [{ name: 'b1', fields: { parallelBuilds: 4 } }] })
  const b1 = farm.builder('b1')
  secondMaster = await farm.bed.machine({ name: 'master2', maxJobs: 0, hook: hookInMachine })
  await installHook(secondMaster)
  await farm.bed.authorize(secondMaster, b1)
  await writeMachinesScm(secondMaster, [[b1, { parallelBuilds: 4 }]])
})

afterAll(() => farm[Symbol.asyncDispose]())

it('collections of garbage on both sides take nothing that an offload needs or has just made', async () => {
  await farm.master.sh('mkdir -p /tmp/many; for i in $(seq 1 300); do head -c 5000 /dev/urandom > /tmp/many/$i; done')
  // Guix's own clients can fail when they are among the first of a daemon, which makes its folders for them.
  for (const machine of [farm.master, farm.builder('b1')]) await machine.guixCommand(['gc'])
  const collectors = [collecting(farm.master), collecting(farm.builder('b1'))]
  const collections = () => collectors.map(({ count }) => count)
  try {
    // On a busy host a collection takes as long as a round: it is their number that says whether there was an occasion to take something.
    for (let round = 0; round < 2 || (Math.min(...collections()) < 4 && round < 20); round += 1) {
      // A chain, so that outputs made there and fetched are inputs again, two of them at a time.
      const source = { name: `source-${round}`, script: 'cp -r $MANY $out', sources: { MANY: '/tmp/many' } }
      const chains = ['left', 'right'].map((side) => {
        const first = { name: `${side}-first-${round}`, script: `mkdir $out; cp -r $IN/* $out; sleep 0.5; echo ${side} > $out/side`, inputs: { IN: source } }
        return { name: `${side}-second-${round}`, script: 'ls $IN | wc -l > $out; echo $IN $SOURCE >> $out', inputs: { IN: first, SOURCE: source } }
      })
      const { failure, derivations, log } = await buildDerivations(farm.master, chains)
      expect(failure, log).toBeUndefined()
      for (const { outputs } of derivations) {
        // No longer protected: it may be gone by now, but if it is there it is whole.
        const text = await farm.master.sh(`cat ${outputs['out'] ?? ''} 2> /dev/null || true`)
        expect(text === '' || text.startsWith('301\n'), text).toBe(true)
      }
    }
  } finally {
    await Promise.all(collectors.map((collector) => collector.stop()))
  }
  console.info(`collections meanwhile: ${collections().join(' and ')}`)
  expect(Math.min(...collections())).toBeGreaterThan(3)
  expect(await leftOnMaster(farm)).toEqual([])
  expect(await contentsComplaints(farm.master)).toEqual([])
  expect(await contentsComplaints(farm.builder('b1'))).toEqual([])
})

// Regression: the references of what is sent were only protected if the derivation named them itself.
it('a collection on the machine takes what it was counted on to have: it is sent again', async () => {
  const b1 = farm.builder('b1')
  await farm.master.writeFile('/tmp/base', `the base ${process.pid}\n`)
  const base = { name: 'base', uniqueness: 'one', script: 'cp $BASE $out', sources: { BASE: '/tmp/base' }, localBuild: true }
  const big = { name: 'big', script: 'mkdir $out; echo $IN > $out/base; head -c 16000000 /dev/urandom > $out/data', inputs: { IN: base }, localBuild: true }
  // The machine gets the base but not yet what refers to it.
  const first = await buildDerivation(farm.master, { name: 'has-base', script: 'cp $IN $out', inputs: { IN: base } })
  expect(first.failure, first.log).toBeUndefined()
  // Slow enough for a collection to be over before it is all there, on a busy host as well.
  await b1.limitBandwidth('4mbit')
  let log = ''
  const building = buildDerivation(farm.master, { name: 'far-reference', script: 'cat $(cat $IN/base) > $out', inputs: { IN: big } }, { onLog: (text) => (log += text) })
  await waitFor('the items to be sent', () => /sending \d+ store items \(15 MiB\) to 'b1'/.test(log), 60_000)
  await b1.guixCommand(['gc'])
  await b1.limitBandwidth(undefined)
  const outcome = await building
  expect(outcome.failure, outcome.log).toBeUndefined()
  expect(outcome.log).toContain("'b1' has collected garbage meanwhile")
  expect(await farm.master.readFile(outcome.outputs['out'] ?? '')).toBe(`the base ${process.pid}`)
})

describe('the same big input that the machine lacks is sent', () => {
  const big = async (name: string, machines: readonly Machine[]) => {
    const content = Buffer.alloc(24 * mebibyte, name)
    for (const machine of machines) await machine.writeFile(`/tmp/${name}/data`, content)
    return { BIG: `/tmp/${name}` }
  }
  const sizeLine = 'sending 2 store items (24 MiB) to \'b1\'...'

  it('once by three derivations of one master, the others wait for it', async () => {
    await buildDerivation(farm.master, { name: 'tools-are-there', script: 'echo > $out' })
    const sources = await big('shared', [farm.master])
    const specs = [1, 2, 3].map((number) => ({ name: `sharing-${number}`, script: `wc -c < $BIG/data > $out; sleep 1`, sources }))
    const { failure, derivations, log } = await buildDerivations(farm.master, specs)
    expect(failure, log).toBeUndefined()
    for (const { outputs } of derivations) expect(await farm.master.readFile(outputs['out'] ?? '')).toBe(`${24 * mebibyte}`)
    expect(log.split(sizeLine), log).toHaveLength(2)
  })

  it('by two masters', async () => {
    const masters = [farm.master, secondMaster]
    await Promise.all(masters.map((master) => buildDerivation(master, { name: 'tools-are-there', script: 'echo > $out' })))
    const sources = await big('common', masters)
    const b1 = farm.builder('b1')
    await b1.limitBandwidth('200mbit')
    const outcomes = await Promise.all(masters.map((master) => buildDerivation(master, { name: `for-${master.name}`, script: 'wc -c < $BIG/data > $out', sources })))
    await b1.limitBandwidth(undefined)
    for (const [index, { failure, outputs, log }] of outcomes.entries()) {
      expect(failure, log).toBeUndefined()
      // Neither knew of the other's.
      expect(log).toContain(sizeLine)
      expect(await masters[index]?.readFile(outputs['out'] ?? '')).toBe(`${24 * mebibyte}`)
    }
    expect(await contentsComplaints(b1)).toEqual([])
  })

  it('by two masters that want the same derivation', async () => {
    const masters = [farm.master, secondMaster]
    const sources = await big('same', masters)
    const spec = { name: 'same', script: 'sleep 2; wc -c < $BIG/data > $out; cat /proc/sys/kernel/random/uuid >> $out', sources, uniqueness: 'the same' }
    const outcomes = await Promise.all(masters.map((master) => buildDerivation(master, spec)))
    const texts = await Promise.all(outcomes.map(async ({ failure, outputs, log }, index) => {
      expect(failure, log).toBeUndefined()
      return masters[index]?.readFile(outputs['out'] ?? '')
    }))
    // Built once: the second one waited for the first.
    expect(texts[0]).toBe(texts[1])
  })
})
