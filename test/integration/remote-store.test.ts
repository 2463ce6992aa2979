/** What a remote store promises, kept on every rung by Guix 1.5.0 and 1.2.0: the same results, and the same errors for the same faults. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { memberGrammar } from '../../src/nar/bundle-reader.js'
import { discardingSink } from '../../src/nar/nar-sink.js'
import { openRemoteStore, type OpenOptions } from '../../src/remote-store/open-remote-store.js'
import type { RemoteStore } from '../../src/remote-store/remote-store.js'
import { Decoder } from '../../src/wire/byte-feed.js'
import { chunks, collector } from '../support/conversations.js'
import { servants } from '../support/leftovers.js'
import { machineConnection } from '../support/machine-connection.js'
import { buildersWith, uniqueMarker } from '../support/master-view.js'
import { rungKinds, type RungKind } from '../support/rung-kinds.js'
import { TestBed } from '../testbed/bed.js'
import { type Derivation, type DerivationSpec, instantiate } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { waitFor } from '../testbed/wait.js'

let bed: TestBed
/** Signs what the others import. */
let source: Machine
let stranger: Machine
const machines = new Map<string, Machine>()
const usual = { maxSilentTime: 0, timeout: 0 }
const nowhere = '/gnu/store/ffffffffffffffffffffffffffffffff-nowhere'

const machine = (name: string): Machine => machines.get(name) ?? source

beforeAll(async () => {
  bed = await TestBed.up({ name: 'remote-store' })
  const up = async (name: string, options: object = {}) => {
    const made = await bed.machine({ name, daemon: 'root', sshd: true, ...options })
    machines.set(name, made)
    return made
  }
  ;[source, stranger] = await Promise.all([up('source'), up('stranger')])
  const made = await Promise.all((['1.5.0', '1.2.0'] as const).flatMap((guix) => [up(`builder-${guix}`, { guix }), up(`full-${guix}`, { guix, storeSize: '8m' })]))
  for (const each of made) await each.authorizeKeyOf(source)
})

afterAll(() => bed.down())

const stores: RemoteStore[] = []
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})

/** A bundle as guix itself writes it. */
const bundle = async (from: Machine, paths: readonly string[], ...options: string[]): Promise<Buffer> => {
  await from.sh(`guix archive --export ${options.join(' ')} ${paths.join(' ')} > /tmp/bundle`)
  return readFile(join(from.rootDir, 'tmp/bundle'))
}

const made = async (on: Machine, spec: DerivationSpec): Promise<Derivation> => {
  const [derivation] = await instantiate(on, [spec])
  if (derivation === undefined) throw new Error('no derivation')
  return derivation
}

const codeOf = (promise: Promise<unknown>) => promise.then(() => 'no error', (error: unknown) => (error as { code?: string }).code)

describe.each(rungKinds)('$way with Guix $guix', ({ rung, way, guix }: RungKind) => {
  const builder = () => machine(`builder-${guix}`)
  const memory = { recall: () => Promise.resolve(undefined), remember: () => Promise.resolve(), forget: () => Promise.resolve() }
  const open = async (on = builder(), options: Partial<OpenOptions> = {}, daemonSocket?: string) => {
    const store = await openRemoteStore(machineConnection(on, daemonSocket), { signal: new AbortController().signal, memory, allowed: [rung], ...options })
    stores.push(store)
    return store
  }
  const inserted = (store: RemoteStore, bytes: Buffer) => store.importBundle(() => chunks(bytes, 10_000), bytes.length)

  const socat = (from: string, to: string) => Promise.all(['1.5.0', '1.2.0'].flatMap((version) => [`builder-${version}`, `full-${version}`]).map((name) => machine(name).sh(`mv ${from} ${to}`)))
  beforeAll(async () => {
    if (way === 'repl') await socat('/usr/bin/socat', '/usr/bin/socat.away')
  })
  afterAll(async () => {
    if (way === 'repl') await socat('/usr/bin/socat.away', '/usr/bin/socat')
  })

  it('says what is missing, takes it, builds, and gives back what it built', async () => {
    const { drv, outputs } = await made(source, { name: 'whole', script: 'echo one; echo two >&2; echo hello > $out' })
    const store = await open()
    expect(store.rung).toBe(rung)
    const missing = await store.missing([nowhere, drv])
    expect(missing).toEqual([nowhere, drv])
    await inserted(store, await bundle(source, [drv], '--recursive'))
    expect(await store.missing([nowhere, drv])).toEqual([nowhere])
    const log = collector()
    const built = store.build(drv, usual, log.onBytes)
    await Promise.all([built, store.warmUpSigning(drv)])
    expect(log.text()).toBe('one\ntwo\n')
    const sink = { begin: () => discardingSink, item: () => undefined }
    const decoder = new Decoder('an item', (feed) => memberGrammar(feed, sink))
    await store.exportItem(outputs['out'] ?? '', (bytes) => {
      decoder.push(bytes)
    })
    const item = decoder.end()
    expect(decoder.feed.available).toBe(0)
    expect(item.path).toBe(outputs['out'])
    expect(item.signature).toContain('(public-key')
  })

  it('tells a build that fails from one that takes too long', async () => {
    const builderSpec = (name: string, script: string) => made(builder(), { name, script })
    const fails = await builderSpec('fails', 'echo about to fail; exit 3')
    const silent = await builderSpec('silent', 'echo hm; sleep 100')
    const chatty = await builderSpec('chatty', 'while :; do echo tick; sleep 0.2; done')
    const of = async ({ drv }: Derivation, options = usual) => (await open()).build(drv, options, () => undefined).catch((error: unknown) => error)
    expect(await of(fails)).toMatchObject({
      code: 'build-failed', status: 100, report: { machine: `builder-${guix}`, step: 'building', subject: fails.drv, problem: `builder for \`${fails.drv}' failed with exit code 3` },
    })
    expect(await of(silent, { maxSilentTime: 1, timeout: 0 })).toMatchObject({ code: 'build-timed-out', status: 101, report: { problem: 'the builder was silent for too long' } })
    expect(await of(chatty, { maxSilentTime: 0, timeout: 1 })).toMatchObject({ code: 'build-timed-out', status: 101, report: { problem: 'the build took too long' } })
    expect(await codeOf((await open()).build(`${nowhere}.drv`, usual, () => undefined))).toBe('inputs-missing')
  })

  it('says why it does not take items', async () => {
    const { drv } = await made(source, { name: 'refused', script: 'echo > $out' })
    const { drv: strange } = await made(stranger, { name: 'strange', script: 'echo > $out' })
    const whole = await bundle(source, [drv], '--recursive')
    expect(await codeOf(inserted(await open(), await bundle(stranger, [strange], '--recursive')))).toBe('signing-key-not-authorized')
    expect(await codeOf(inserted(await open(machine(`full-${guix}`)), await bundle(source, [await bigItem()])))).toBe('disk-full')
    expect(await codeOf(inserted(await open(machine(`full-${guix}`)), await bundle(source, [drv])))).toBe('reference-missing')
    expect(await codeOf(inserted(await open(), Buffer.concat([whole.subarray(0, 8), Buffer.alloc(whole.length - 8)])))).toBe('daemon-refused')
    const own = new Error('our own disk')
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield whole.subarray(0, 100)
      throw own
    }
    await expect((await open()).importBundle(broken, whole.length)).rejects.toBe(own)
  })

  it('says that there is nothing to export, and whose fault a consumer is', async () => {
    expect(await codeOf((await open()).exportItem(nowhere, () => undefined))).toBe('reference-missing')
    const { drv } = await made(builder(), { name: 'exported', script: 'echo > $out' })
    const own = new Error('our own disk')
    const failing = (await open()).exportItem(drv, () => {
      throw own
    })
    await expect(failing).rejects.toBe(own)
  })

  it('ends a silent build with the signal, and leaves nothing there', async () => {
    const marker = uniqueMarker()
    const { drv } = await made(builder(), { name: 'endless', script: `${marker}; sleep 1000; echo > $out` })
    const client = new AbortController()
    const store = await open(builder(), { signal: client.signal })
    const building = store.build(drv, usual, () => undefined)
    const reason = new Error('the client went away')
    building.catch(() => undefined)
    await waitFor('the builder to run', async () => (await buildersWith(marker)).length > 0)
    client.abort(reason)
    await expect(building).rejects.toBe(reason)
    await waitFor('the builder to be gone', async () => (await buildersWith(marker)).length === 0)
    await waitFor('all else to be gone', async () => (await servants(builder())).filter((line) => !line.includes('guix-daemon')).length === 0)
  })

  it('asks the daemon at the socket that is listed', async () => {
    await builder().sh('ln -sfn ../var/guix/daemon-socket /run/elsewhere')
    expect(await (await open(builder(), {}, '/run/elsewhere/socket')).missing([nowhere])).toEqual([nowhere])
    expect(await codeOf(open(builder(), {}, '/run/nowhere/socket'))).toBe('socket-unavailable')
  })

  if (way === 'repl' || way === 'commands') {
    it.each(['/run/current-system/profile/bin', '/var/guix/profiles/per-user/root/current-guix/bin', '/root/.config/guix/current/bin'])('finds guix in %s', async (folder) => {
      await builder().sh(`mkdir -p ${folder}; mv /usr/bin/guix ${folder}/guix`)
      const answer = await open().then((store) => store.missing([nowhere])).catch((error: unknown) => error)
      await builder().sh(`mv ${folder}/guix /usr/bin/guix`)
      expect(answer).toEqual([nowhere])
    })
  }

  it('says that no daemon listens, and that one does not answer', async () => {
    const { daemon } = builder()
    await daemon.pause()
    const silent = await codeOf(open(builder(), { greetingMs: 1500 }))
    await daemon.resume()
    expect(silent).toBe('daemon-silent')
    await daemon.stop()
    const gone = await codeOf(open())
    await builder().sh('rm -f /var/guix/daemon-socket/socket')
    const absent = await codeOf(open())
    await daemon.start()
    expect([gone, absent]).toEqual(['socket-unavailable', 'socket-unavailable'])
  })
})

let big: string | undefined
const bigItem = async (): Promise<string> => (big ??= (await source.sh('head -c 16777216 /dev/urandom > /tmp/big; guix download file:///tmp/big 2> /dev/null')).split('\n')[0] ?? '')
