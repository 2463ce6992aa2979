import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RungFiles } from '../../../src/state/rung-memory.js'
import { farMachine } from '../../support/remote-commands.js'

let state: string
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'rungs-'))
})
afterEach(() => rm(state, { recursive: true }))

const hour = 3600_000
const folder = () => join(state, 'offload', 'builder:2222')

describe('the memory of rungs', () => {
  it('is shared by processes, beside the slots, and replaced as a whole', async () => {
    const memory = new RungFiles(state)
    expect(await memory.recall(farMachine)).toBeUndefined()
    await memory.remember(farMachine, 'bridge')
    expect(await new RungFiles(state).recall(farMachine)).toBe('bridge')
    await Promise.all(Array.from({ length: 20 }, () => memory.remember(farMachine, 'commands')))
    expect(await memory.recall(farMachine)).toBe('commands')
    expect(await readdir(folder())).toEqual(['rung.json'])
  })

  it('can be told to forget, twice', async () => {
    const memory = new RungFiles(state)
    await memory.remember(farMachine, 'bridge')
    await memory.forget(farMachine)
    await memory.forget(farMachine)
    expect(await memory.recall(farMachine)).toBeUndefined()
  })

  it('lasts a day', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z')
    const memory = new RungFiles(state, () => now)
    await memory.remember(farMachine, 'bridge')
    now += 23 * hour
    expect(await memory.recall(farMachine)).toBe('bridge')
    now += hour
    expect(await memory.recall(farMachine)).toBeUndefined()
    now -= 48 * hour
    expect(await memory.recall(farMachine), 'a clock that was set back').toBeUndefined()
  })

  it.each([
    ['account', { user: 'other' }],
    ['socket', { daemonSocket: '/other' }],
    ['transport', { settings: { transport: 'lsh' } }],
  ])('holds for one %s', async (_what, change) => {
    const memory = new RungFiles(state)
    await memory.remember(farMachine, 'bridge')
    expect(await memory.recall({ ...farMachine, ...change })).toBeUndefined()
    expect(await memory.recall(farMachine)).toBe('bridge')
  })

  it.each(['', '{', 'null', '{"rung":"bridge"}', '[]', '{"rung":"rope","found":"2026-01-01T00:00:00Z","way":""}'])('does without a file that holds %j', async (content) => {
    await mkdir(folder(), { recursive: true })
    await writeFile(join(folder(), 'rung.json'), content)
    expect(await new RungFiles(state).recall(farMachine)).toBeUndefined()
  })

  it('that cannot be written is no failure', async () => {
    await writeFile(join(state, 'offload'), 'a file where the folder should be')
    const memory = new RungFiles(state)
    await memory.remember(farMachine, 'bridge')
    await memory.forget(farMachine)
    expect(await memory.recall(farMachine)).toBeUndefined()
  })
})
