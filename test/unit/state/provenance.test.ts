import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tellProvenance } from '../../../src/offload/tell-provenance.js'
import { ProvenanceFiles, type ProvenanceEntry } from '../../../src/state/provenance.js'
import { scratchFolders } from '../../support/scratch.js'

const scratch = scratchFolders()
const name = (letter: string) => `${letter.repeat(32)}-item`

function scene() {
  const state = scratch()
  const store = join(state, 'store')
  mkdirSync(store)
  const entry = (letter: string): ProvenanceEntry => ({
    path: join(store, name(letter)), time: '2026-05-01T12:00:00.000Z', machine: 'b1:22', derivation: 'd', narBytes: 1, narHash: 'ab', key: 'Ed25519 #00#', signedHash: 'cd', signature: '(signature …)',
  })
  return { files: new ProvenanceFiles(state, store), store, entry, folder: join(state, 'offload', 'provenance') }
}

describe('provenance', () => {
  it('is remembered by item', () => {
    const { files, entry } = scene()
    files.keep([entry('a'), entry('b')])
    expect(files.recall(entry('a').path)).toEqual(entry('a'))
    files.keep([{ ...entry('a'), machine: 'b2:22' }])
    expect(files.recall(entry('a').path)?.machine).toBe('b2:22')
    expect(files.recall(entry('c').path)).toBeUndefined()
  })

  it('goes once a day with items that are gone, and so does what killed processes left', () => {
    const { files, entry, store, folder } = scene()
    files.keep([entry('a'), entry('b')])
    for (const letter of ['a', 'c']) writeFileSync(join(store, name(letter)), '')
    writeFileSync(join(folder, '.0123456789ab'), 'half')
    files.keep([entry('c')])
    expect(readdirSync(folder)).toHaveLength(5)
    const yesterday = Date.now() / 1000 - 25 * 3600
    utimesSync(join(folder, '.pruned'), yesterday, yesterday)
    files.keep([entry('c')])
    expect(readdirSync(folder).sort()).toEqual(['.pruned', `${name('a')}.json`, `${name('c')}.json`])
  })

  it('is lost without harm', () => {
    const { files, entry, folder } = scene()
    mkdirSync(join(folder, '..'), { recursive: true })
    writeFileSync(folder, 'not a folder')
    expect(() => files.keep([entry('a')])).not.toThrow()
    expect(files.recall(entry('a').path)).toBeUndefined()
    rmSync(folder)
    files.keep([entry('a')])
    writeFileSync(join(folder, `${name('a')}.json`), '{"path":')
    expect(files.recall(entry('a').path)).toBeUndefined()
    expect(existsSync(folder)).toBe(true)
  })

  it.each<[string, () => Promise<string | undefined>]>([
    ['same', async () => 'ab'], ['other', async () => 'ff'], ['gone', async () => undefined], ['unknown', () => Promise.reject(new Error('no daemon'))],
  ])('says whether the item is still what was fetched: %s', async (state, hash) => {
    const { files, entry, store } = scene()
    files.keep([entry('a')])
    const pathInfo = async () => {
      const narHash = await hash()
      return narHash === undefined ? undefined : { deriver: '', narHash, references: [], registrationTime: 0, narSize: 1 }
    }
    const ports = { storeDirectory: store, recall: (path: string) => files.recall(path), pathInfo }
    expect(await tellProvenance(entry('a').path, ports, new AbortController().signal)).toEqual({ path: entry('a').path, entry: entry('a'), state })
    await expect(tellProvenance('/etc/passwd', ports, new AbortController().signal)).rejects.toMatchObject({ code: 'not-a-store-item' })
  })
})
