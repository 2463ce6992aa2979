/** Big items, both ways: the same bytes, and memory that does not grow with them. Prints what it measured. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, installHook, startFarm } from '../support/farm.js'
import { measurePeakMemory, takePeaks } from '../support/peak-memory.js'
import { contentsComplaints, expectNothingLeft, factsOf, listingOf } from '../support/store-facts.js'
import { buildDerivation, type DerivationSpec } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'

const gibibyte = 2 ** 30
const memoryLimit = 150e6
const fileCount = 20_000

let farm: Farm
let builder: Machine

beforeAll(async () => {
  farm = await startFarm({ name: 'large', builders: [{ name: 'builder' }] })
  builder = farm.builder('builder')
  await installHook(farm.master, await measurePeakMemory(farm.master))
})

afterAll(() => farm.bed.down())

/** Builds through the hook, on the build machine, within the limit of memory; tells what it took. */
const offloaded = async (what: string, spec: DerivationSpec) => {
  await takePeaks(farm.master)
  const outcome = await buildDerivation(farm.master, spec)
  expect(outcome.failure).toBeUndefined()
  expect(outcome.log).toContain(`@ build-remote ${outcome.drv} builder`)
  const peaks = await takePeaks(farm.master)
  const entry = (await farm.history()).at(-1) as { derivation: string; seconds: Record<string, number>; sent: { bytes: number }; fetched: { bytes: number } }
  const phases = Object.entries(entry.seconds).map(([phase, seconds]) => `${phase} ${seconds} s`).join(', ')
  console.info(`${what}: ${outcome.milliseconds / 1000} s (${phases}), peak memory of the hook ${peaks.map((bytes) => `${Math.round(bytes / 1e6)} MB`).join(', ')}`)
  expect(entry.derivation).toBe(outcome.drv)
  expect(peaks).toHaveLength(1)
  expect(peaks[0]).toBeGreaterThan(20e6)
  expect(peaks[0]).toBeLessThan(memoryLimit)
  return { ...outcome, out: outcome.outputs.out ?? '', sent: entry.sent.bytes, fetched: entry.fetched.bytes }
}

const expectSameOnBoth = async (path: string) => {
  const facts = await factsOf(farm.master, [path])
  expect(facts).toEqual(await factsOf(builder, [path]))
  expect(await listingOf(farm.master, path)).toEqual(await listingOf(builder, path))
  return facts[0]
}

/** In folders of a thousand. */
const manyFiles = 'mkdir $out; i=0; while [ $i -lt 20 ]; do mkdir $out/$i; j=0; while [ $j -lt 1000 ]; do echo "$i $j" > $out/$i/$j; j=$((j + 1)); done; i=$((i + 1)); done'
const oneFile = 'head -c 1073741824 /dev/urandom > $out'

describe('one GiB in one file', () => {
  it('as an output', async () => {
    const { out, fetched } = await offloaded('output of 1 GiB', { name: 'big', script: oneFile })
    expect(fetched).toBeGreaterThan(gibibyte)
    await expectSameOnBoth(out)
  })

  it('as an input that only the master has', async () => {
    const input: DerivationSpec = { name: 'big-input', uniqueness: 'one', localBuild: true, script: oneFile }
    const { outputs: { out: path = '' } } = await buildDerivation(farm.master, input)
    const { out, sent } = await offloaded('input of 1 GiB', { name: 'reader', inputs: { BIG: input }, script: 'stat -c %s $BIG > $out; echo $BIG >> $out' })
    expect(sent).toBeGreaterThan(gibibyte)
    expect(await farm.master.readFile(out)).toBe(`${gibibyte}\n${path}`)
    expect((await expectSameOnBoth(out))?.references).toEqual([path])
    await expectSameOnBoth(path)
  })
})

describe(`${fileCount} small files`, () => {
  it('as an output', async () => {
    const { out } = await offloaded(`output of ${fileCount} files`, { name: 'many', script: manyFiles })
    await expectSameOnBoth(out)
    expect(await listingOf(farm.master, out)).toHaveLength(fileCount + 21)
  })

  it('as an input that only the master has', async () => {
    const input: DerivationSpec = { name: 'many-input', uniqueness: 'one', localBuild: true, script: manyFiles }
    await buildDerivation(farm.master, input)
    const { out } = await offloaded(`input of ${fileCount} files`, { name: 'counter', inputs: { MANY: input }, script: 'find $MANY -type f | wc -l > $out; echo $MANY >> $out' })
    const [count, path = ''] = (await farm.master.readFile(out)).split('\n')
    expect(count).toBe(String(fileCount))
    await expectSameOnBoth(path)
  })
})

it('the stores are sound and nothing is left behind', async () => {
  expect(await contentsComplaints(farm.master)).toEqual([])
  expect(await contentsComplaints(builder)).toEqual([])
  await expectNothingLeft(farm.master)
})
