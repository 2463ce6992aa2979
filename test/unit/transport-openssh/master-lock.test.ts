import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { withLock } from '../../../plugins/transport-openssh/src/master-lock.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guix-offload-lock-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const never = new AbortController().signal
const late = (): Error => new Error('too late')

it('lets one work, and the others take what it made', async () => {
  let made: string | undefined
  let works = 0
  const results = await Promise.all(Array.from({ length: 5 }, () => withLock(join(folder, 'one'), {
    ready: async () => made,
    work: async () => {
      works += 1
      await sleep(50)
      made = 'made'
      return made
    },
    waitMs: 5000, late, signal: never,
  })))
  expect(results).toEqual(Array.from({ length: 5 }, () => 'made'))
  expect(works).toBe(1)
})

it('passes the work on when it fails, and does not wait for ever', async () => {
  const path = join(folder, 'two')
  const nothing = async (): Promise<string | undefined> => undefined
  await expect(withLock(path, { ready: nothing, work: async () => { throw new Error('failed') }, waitMs: 1000, late, signal: never })).rejects.toThrow('failed')
  const controller = new AbortController()
  const long = withLock(path, { ready: nothing, work: async () => sleep(400, 'slow'), waitMs: 1000, late, signal: never })
  await sleep(20)
  const waiting = withLock(path, { ready: nothing, work: async () => 'never', waitMs: 5000, late, signal: controller.signal })
  await expect(withLock(path, { ready: nothing, work: async () => 'never', waitMs: 50, late, signal: never })).rejects.toThrow('too late')
  controller.abort(new Error('not wanted'))
  await expect(waiting).rejects.toThrow('not wanted')
  expect(await long).toBe('slow')
  expect(await withLock(path, { ready: nothing, work: async () => 'mine', waitMs: 0, late, signal: never })).toBe('mine')
})
