import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BelievedItems } from '../../../src/state/believed-items.js'
import { ItemMemory } from '../../../src/state/item-memory.js'
import { scratchFolders } from '../../support/scratch.js'
import { machine } from '../machines/machine-fixture.js'

const scratch = scratchFolders()
/** Item number so many: told apart by the beginning of the hash. */
const item = (number: number) => `/gnu/store/${number.toString(32).padStart(8, '0')}${'z'.repeat(24)}-item`
const items = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => item(from + index))
const b1 = machine('b1')

describe('what a machine is believed to have', () => {
  it('is what was learnt last, through any number of processes', () => {
    const lesson = fc.record({ present: fc.array(fc.nat(20)), absent: fc.array(fc.nat(20)) })
    fc.assert(
      fc.property(fc.array(lesson), (lessons) => {
        const truth = new Set<number>()
        let text = ''
        for (const { present, absent } of lessons) {
          text += new BelievedItems(text).learn({ present: present.map(item), absent: absent.map(item) })
          for (const number of absent) truth.delete(number)
          for (const number of present) truth.add(number)
        }
        for (let number = 0; number <= 20; number += 1) {
          expect(new BelievedItems(text).has(item(number))).toBe(truth.has(number))
          expect(new BelievedItems(new BelievedItems(text).text()).has(item(number))).toBe(truth.has(number))
        }
      }),
    )
  })

  it('is bounded: what was learnt first is forgotten', () => {
    const believed = new BelievedItems('', 3)
    believed.learn({ present: items(0, 3) })
    believed.learn({ present: [item(0)] })
    believed.learn({ present: [item(3)] })
    expect([0, 1, 2, 3].map((number) => believed.has(item(number)))).toEqual([true, false, true, true])
  })

  it('skips what it cannot read', () => {
    const believed = new BelievedItems('+0000000\n?00000001\n+0000000A\n\n+00000002\n+000')
    expect([0, 1, 2].map((number) => believed.has(item(number)))).toEqual([false, false, true])
  })
})

describe('its record', () => {
  it('says nothing new twice', async () => {
    const folder = scratch()
    const memory = new ItemMemory(folder)
    const file = join(folder, 'offload', 'b1:22', 'items')
    await memory.learn(b1, { present: items(0, 100) })
    const before = readFileSync(file)
    await memory.learn(b1, { present: items(50, 100), absent: [item(200)] })
    expect(readFileSync(file)).toEqual(before)
    await memory.learn(b1, { absent: [item(7)] })
    expect((await new ItemMemory(folder).believed(b1)).has(item(7))).toBe(false)
    expect((await memory.believed(machine('b2'))).has(item(8))).toBe(false)
  })

  it('stays small, and keeps what was learnt last', async () => {
    const folder = scratch()
    const memory = new ItemMemory(folder, 50)
    for (let round = 0; round < 40; round += 1) await memory.learn(b1, { present: items(round * 10, round * 10 + 10) })
    expect(statSync(join(folder, 'offload', 'b1:22', 'items')).size).toBeLessThanOrEqual(1000)
    const believed = await memory.believed(b1)
    expect(items(350, 400).every((path) => believed.has(path))).toBe(true)
    expect(items(0, 350).some((path) => believed.has(path))).toBe(false)
  })

  it('loses nothing when several processes learn at once', async () => {
    const folder = scratch()
    await Promise.all(Array.from({ length: 20 }, (_, index) => new ItemMemory(folder).learn(b1, { present: items(index * 10, index * 10 + 10) })))
    const believed = await new ItemMemory(folder).believed(b1)
    expect(items(0, 200).every((path) => believed.has(path))).toBe(true)
  })

  it('survives a line that was cut, and a folder that cannot be written', async () => {
    const folder = scratch()
    const memory = new ItemMemory(folder)
    await memory.learn(b1, { present: [item(1)] })
    appendFileSync(join(folder, 'offload', 'b1:22', 'items'), '+0000')
    await memory.learn(b1, { present: [item(2)] })
    await memory.learn(b1, { present: [item(3)] })
    const believed = await memory.believed(b1)
    expect([1, 3].every((number) => believed.has(item(number)))).toBe(true)
    mkdirSync(join(folder, 'elsewhere'))
    writeFileSync(join(folder, 'elsewhere', 'offload'), 'a file where the folder should be')
    await new ItemMemory(join(folder, 'elsewhere')).learn(b1, { present: [item(1)] })
    expect((await new ItemMemory(join(folder, 'elsewhere')).believed(b1)).has(item(1))).toBe(false)
  })
})
