import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeLeftovers, TemporaryItems } from '../../../src/local-store/temporary-items.js'

describe('temporary items', () => {
  let folder = ''
  let store = ''
  let journals = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'temporaries-'))
    store = join(folder, 'store')
    mkdirSync(store)
    journals = join(folder, 'state', 'offload', 'arriving')
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const open = (roots: string[] = []): TemporaryItems =>
    new TemporaryItems(store, join(folder, 'state'), (path) => {
      roots.push(path)
      return Promise.resolve()
    })

  it('protects each name from collection before it is used, and never gives one twice', async () => {
    const roots: string[] = []
    const items = open(roots)
    const names = [await items.create(), await items.create()]
    expect(roots).toEqual(names)
    expect(new Set(names).size).toBe(2)
    expect(names.every((name) => name.startsWith(`${store}/`) && !existsSync(name))).toBe(true)
    items.dispose()
  })

  it('removes what was not renamed, and its own journal', async () => {
    const items = open()
    const [kept, dropped] = [await items.create(), await items.create()]
    for (const path of [kept, dropped]) mkdirSync(join(path, 'sub'), { recursive: true })
    items.renamed(kept)
    items.dispose()
    items.dispose()
    expect([existsSync(kept), existsSync(dropped)]).toEqual([true, false])
    expect(readdirSync(journals)).toEqual([])
  })

  it('leaves alone what a living process is still writing', async () => {
    const items = open()
    const path = await items.create()
    writeFileSync(path, 'half')
    expect(removeLeftovers(store, join(folder, 'state'))).toEqual([])
    expect(existsSync(path)).toBe(true)
    items.dispose()
  })

  it('removes what a killed process has left', async () => {
    const module = new URL('../../../src/local-store/temporary-items.ts', import.meta.url).pathname
    const script = `
      import { mkdirSync } from 'node:fs'
      const { TemporaryItems } = await import(${JSON.stringify(module)})
      const items = new TemporaryItems(${JSON.stringify(store)}, ${JSON.stringify(join(folder, 'state'))}, async () => {})
      mkdirSync(await items.create())
      process.stdout.write('ready')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    expect(removeLeftovers(store, join(folder, 'state'))).toEqual([])
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    const left = readdirSync(store)
    expect(left).toHaveLength(1)
    expect(removeLeftovers(store, join(folder, 'state'))).toEqual(left.map((name) => join(store, name)))
    expect([readdirSync(store), readdirSync(journals)]).toEqual([[], []])
  })

  it('removes nothing but names of its own kind, whatever a journal says', () => {
    const item = join(store, '00000000000000000000000000000000-hello')
    writeFileSync(item, 'valuable')
    mkdirSync(journals, { recursive: true })
    writeFileSync(join(journals, 'forged'), `${item}\n${store}/../state\n/etc/passwd\n${store}/guix-offload-x/../${item}\n`)
    expect(removeLeftovers(store, join(folder, 'state'))).toEqual([])
    expect(existsSync(item)).toBe(true)
    expect(readdirSync(journals)).toEqual([])
  })
})
