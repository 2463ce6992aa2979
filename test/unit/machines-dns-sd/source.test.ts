import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Cache } from '../../../plugins/machines-dns-sd/src/cache.js'
import { times } from '../../../plugins/machines-dns-sd/src/limits.js'
import { createSource } from '../../../plugins/machines-dns-sd/src/source.js'
import type { SourceContext } from '../../../src/plugin-api/index.js'
import { hostFor } from '../machines-scm/host.js'
import { advert, newHostKey } from './records.js'

let folder = ''
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'dns-sd-')) })
afterEach(() => rm(folder, { recursive: true }))

const hostKey = newHostKey()
/** What the source asks with these options. */
const question = { mdns: false, interfaces: undefined, domains: [] }
const heard = (age: number, whole = true) => ({ adverts: [advert({ hostKey, heardAt: Date.now() - age })], askedAt: Date.now() - age, whole })
const context = (more: Partial<SourceContext> = {}): SourceContext => ({ signal: new AbortController().signal, configurationDirectory: folder, homeDirectory: '/root', environment: {}, stateDirectory: join(folder, 'state'), ...more })

describe('what is remembered', () => {
  it('is there for the next, with its age, and nothing of trust in it', async () => {
    const cache = new Cache(join(folder, 'state'), question)
    await cache.remember(heard(3000))
    await writeFile(join(folder, 'offload-known-hosts'), `beta.local ${hostKey}\n`)
    const source = createSource(hostFor([], { mdns: false }))
    const { machines } = await source.list(context())
    expect(machines.map(({ name, heardAt = 0 }) => [name, Math.round((Date.now() - heardAt) / 1000)])).toEqual([['beta.local', 3]])
    await writeFile(join(folder, 'offload-known-hosts'), '')
    expect(await source.list(context())).toMatchObject({ machines: [], found: [{ name: 'beta.local', standing: 'not-trusted' }] })
    expect(await readdir(join(folder, 'state'))).toEqual(['dns-sd.json'])
  })

  it('is asked for anew while the hook goes on, by one process alone', async () => {
    const cache = new Cache(join(folder, 'state'), question)
    await cache.remember(heard(times.fresh + 1000))
    await writeFile(join(folder, 'offload-known-hosts'), `beta.local ${hostKey}\n`)
    const source = createSource(hostFor([], { mdns: false }))
    const lists = await Promise.all([source.list(context()), source.list(context())])
    for (const { machines } of lists) expect(machines).toHaveLength(1)
    // Nothing is asked here, so that the answer is that there is nobody.
    await expect.poll(async () => (await cache.recall(Date.now()))?.adverts).toEqual([])
    await expect.poll(() => readdir(join(folder, 'state'))).toEqual(['dns-sd.json'])
  })

  it('is of no use when it is too old, from the future, from another question, too large or nonsense', async () => {
    const cache = new Cache(folder, question)
    const file = join(folder, 'dns-sd.json')
    for (const age of [times.usable + 1000, -5000]) {
      await cache.remember(heard(age))
      expect(await cache.recall(Date.now())).toBeUndefined()
    }
    await cache.remember(heard(0))
    expect(await cache.recall(Date.now())).toMatchObject({ whole: true })
    expect(await new Cache(folder, { ...question, domains: ['example.org'] }).recall(Date.now())).toBeUndefined()
    const good = await readFile(file, 'utf8')
    for (const text of ['', '{', '[]', 'null', good.replace('"adverts":[', '"adverts":{'), `${good}${' '.repeat(2 ** 21)}`]) {
      await writeFile(file, text)
      expect(await cache.recall(Date.now())).toBeUndefined()
    }
  })

  it('may have been written by anybody: what makes no sense in it is left out', async () => {
    const cache = new Cache(folder, question)
    const bad = [{ host: '../x' }, { host: 'a b' }, { port: 0 }, { txt: [1] }, { addresses: ['127.0.0.1'] }, { addresses: ['x'] }, { heardAt: 'now' }].map((change) => ({ ...advert({ hostKey }), ...change }))
    await cache.remember({ adverts: [...bad, null, advert({ hostKey })] as never, askedAt: Date.now(), whole: true })
    expect((await cache.recall(Date.now()))?.adverts).toHaveLength(1)
  })

  it('is asked for by one at a time; one that was killed does not hold up the others for long', async () => {
    const [one, two] = [new Cache(folder, question), new Cache(folder, question)]
    expect(await one.begin(Date.now())).toBe(true)
    expect(await two.begin(Date.now())).toBe(false)
    expect(await two.begin(Date.now() + times.refreshing + 1000)).toBe(true)
    await two.end()
    expect(await one.begin(Date.now())).toBe(true)
    expect(await new Cache('/dev/null/x', question).begin(Date.now())).toBe(true)
  })
})

describe('the options', () => {
  it.each([
    [{ mdsn: true }, 'plugins.dns-sd.mdsn', 'unknown key `mdsn`'],
    [{ domains: ['example.org', 'a b'] }, 'plugins.dns-sd.domains.1', 'a domain such as example.org'],
    [{ domains: ['local'] }, 'plugins.dns-sd.domains.0', 'a domain such as example.org'],
    [{ fingerprints: ['MD5:aa'] }, 'plugins.dns-sd.fingerprints.0', 'as ssh-keygen -l prints them'],
    [{ certificateAuthorities: ['ssh-ed25519 AAAA'] }, 'plugins.dns-sd.certificateAuthorities.0', 'a public key'],
    [{ knownHosts: 'pins' }, 'plugins.dns-sd.knownHosts', 'an absolute path'],
    [{ emulatedSpeed: 2 }, 'plugins.dns-sd.emulatedSpeed', 'a number from 0 to 1'],
    [[], 'plugins.dns-sd', 'keys and values'],
  ])('%j: the error says where and what', async (options, subject, says) => {
    const failure: unknown = await createSource(hostFor([], options)).list(context()).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'option-invalid', fault: 'configuration', report: { subject } })
    expect((failure as Error).message).toContain(says)
  })

  it('name a file of pins that must be there; a line in it that makes no sense is a warning with its place', async () => {
    const file = join(folder, 'pins')
    const source = createSource(hostFor([], { mdns: false, knownHosts: file }))
    await expect(source.list(context())).rejects.toMatchObject({ code: 'pins-unreadable', report: { subject: file } })
    await writeFile(file, `beta.local ${hostKey}\nnonsense\n`)
    expect((await source.list(context())).warnings).toMatchObject([{ code: 'pin-invalid', location: { file, line: 2 }, dropped: true }])
  })
})
