/** What `explain` says, beside what the hook and guix-daemon then do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AskedHook, type Asked } from '../support/asked-hook.js'
import { type Farm, hookInMachine, startFarm } from '../support/farm.js'
import { takenSlots } from '../support/leftovers.js'
import { buildDerivation, type BuildOptions, currentSystem, type DerivationSpec, instantiate } from '../testbed/derivations.js'
import type { DaemonOptions } from '../testbed/daemon.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm
const foreignSystem = 'mips64el-linux'

/** One of each kind; `only-KIND` is what that one alone offers. Kinds that are a matter of what is written about a machine share one, by ports. */
const kinds = {
  fit: 'fit:22', slower: 'fit:2201', busy: 'fit:2202', foreign: 'fit:2203', refusing: 'fit:2299', hole: 'hole:22', impostor: 'fit:2204', taken: 'fit:2205', small: 'small:22',
} as const
type Kind = keyof typeof kinds
const kindOf = (id: string) => Object.entries(kinds).find(([, other]) => other === id)?.[0] ?? id
const ports = ['Port 22', 'Port 2201', 'Port 2202', 'Port 2203', 'Port 2204', 'Port 2205']

beforeAll(async () => {
  farm = await startFarm({ name: 'explain', builders: [{ name: 'fit', sshd: { config: ports } }, { name: 'small', storeSize: '64m' }, { name: 'hole' }] })
  const { master } = farm
  await master.writeFile('/etc/guix/offload.yaml', 'timeouts: { connect: 3s, handshake: 3s }\n')
  const entries = (Object.keys(kinds) as Kind[]).map((kind) => {
    const [name = '', port] = kinds[kind].split(':')
    return [farm.builder(name), {
      port: Number(port), speed: kind === 'fit' || kind === 'slower' ? 1 : 2, features: kind === 'foreign' ? ['any'] : ['any', `only-${kind}`],
      ...(kind === 'fit' ? { speed: 1.5 } : {}),
      ...(kind === 'busy' ? { overloadThreshold: 0 } : {}),
      ...(kind === 'foreign' ? { systems: [foreignSystem] } : {}),
      ...(kind === 'impostor' ? { hostKey: farm.builder('small').hostKey } : {}),
      ...(kind === 'taken' ? { parallelBuilds: 1 } : {}),
    }] as const
  })
  await writeMachinesScm(master, entries)
  await farm.builder('hole').disconnect()
})

afterAll(() => farm[Symbol.asyncDispose]())

interface Explained {
  readonly offloaded: boolean
  readonly answer: { readonly reply: string; readonly machine: { readonly name: string; readonly port: number } | null; readonly reason: string }
  readonly circumstances: readonly { readonly code: string; readonly blocks: boolean; readonly message: string }[]
  readonly machines: readonly {
    readonly name: string
    readonly port: number
    readonly verdict: string
    readonly reason: string
    readonly rank: { readonly place: number; readonly score: number; readonly reason: string } | null
    readonly slots: { readonly total: number; readonly taken: number; readonly holders: readonly number[] } | null
    readonly asked: { readonly verdict: string } | null
  }[]
}

/** As root, who becomes the daemon's user. */
const explain = async (args: readonly string[]) => {
  const { stdout, stderr, exitCode } = await farm.run(['explain', ...args, '--json'], { user: 'root' })
  return { status: exitCode, stderr: String(stderr), ...(JSON.parse(String(stdout)) as Explained) }
}
const explainText = async (args: readonly string[]) => String((await farm.run(['explain', ...args], { user: 'root' })).stdout)

const derivationWith = async (spec: Partial<DerivationSpec> = {}) =>
  (await instantiate(farm.master, [{ name: 'explained', script: 'echo > $out', ...spec }]))[0]?.drv ?? ''

const verdicts = ({ machines }: Explained) => Object.fromEntries(machines.map(({ name, port, verdict }) => [kindOf(`${name}:${port}`), verdict]))
const codes = ({ circumstances }: Explained) => circumstances.map(({ code, blocks }) => `${code}${blocks ? ' (blocks)' : ''}`)

/** What the hook answered to the same request, and what it kept of its reasons. */
const askHook = async (derivation: string, asked: Asked) => {
  await using hook = new AskedHook(farm, derivation, 'ours', asked)
  const reply = await hook.answer(1, 60_000)
  return { reply, output: hook.output }
}

const keptVerdicts = async (derivation: string) => {
  const text = await farm.master.sh('cat /var/guix/offload/refusals.jsonl 2>/dev/null || true')
  const lines = text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as { derivation: string; outcome: string; verdicts: { machine: string; code: string }[] })
  return lines.filter((line) => line.derivation === derivation).map(({ outcome, verdicts: kept }) => ({ outcome, verdicts: kept.map(({ machine, code }) => `${machine} ${code}`) }))
}

describe('with machines of all kinds at once', () => {
  it('says of each what it is, with figures, and which one would take it', async () => {
    await using holding = new AskedHook(farm, '/gnu/store/00000000000000000000000000000000-other.drv', 'ours', { features: ['only-taken'] })
    expect(await holding.answer(), holding.output).toBe('accept')
    const slots = await takenSlots(farm)
    const drv = await derivationWith({ features: ['any'] })
    const told = await explain([drv])
    expect(verdicts(told), told.stderr).toEqual({
      fit: 'chosen', slower: 'not-needed', busy: 'overloaded', foreign: 'unsuited', refusing: 'unreachable', hole: 'unreachable', impostor: 'unreachable',
      taken: 'slots-taken', small: 'low-disk-space',
    })
    expect([told.offloaded, told.status, told.answer.reply, told.answer.machine]).toEqual([true, 0, 'accept', { name: 'fit', port: 22 }])
    expect(codes(told)).toEqual([])
    const of = (kind: Kind) => told.machines.find(({ name, port }) => `${name}:${port}` === kinds[kind])
    expect(of('busy')?.reason).toMatch(/^load \d\.\d\d, must be below 0\.00$/)
    expect(of('small')?.reason).toMatch(/^free space \d+ MiB, must be at least 100 MiB$/)
    expect(of('hole')?.reason).toMatch(/no answer from .* within 3 s/)
    expect(of('impostor')?.reason).toMatch(/another host key than the pinned one \(expected ssh-ed25519 SHA256:.*, seen ssh-ed25519 SHA256:/)
    expect(of('fit')?.rank).toMatchObject({ score: 1.5, reason: 'speed 1.5' })
    // The process that holds the slot, by its number on the master; the machine is well all the same, and says so.
    expect(of('taken')).toMatchObject({ reason: '1 of 1 slots taken', slots: { total: 1, taken: 1 }, asked: { verdict: 'fit' } })
    const [holder = 0] = of('taken')?.slots?.holders ?? []
    expect(holding.output).toContain(`process ${holder} acquired build slot`)
    const text = await explainText([drv])
    expect(text).toContain(`1 of 1 slots taken by process ${holder} (it answers now: load`)
    expect(text).toContain('It would be offloaded to fit now')
    // No slot was taken, and the one that was taken still is.
    expect(await takenSlots(farm)).toEqual(slots)
  })

  const lone: readonly (readonly [Kind, string, string])[] = [
    ['fit', 'accept', 'chosen'], ['busy', 'postpone', 'overloaded'], ['small', 'postpone', 'low-disk-space'], ['refusing', 'postpone', 'unreachable'], ['hole', 'postpone', 'unreachable'],
    ['impostor', 'postpone', 'unreachable'],
  ]
  it.each(lone)('foretells what the hook answers when there is only one that is %s: %s', async (kind, reply, code) => {
    const features = [`only-${kind}`]
    const drv = await derivationWith({ features })
    const told = await explain([drv])
    expect([told.answer.reply, verdicts(told)[kind], told.offloaded, told.status]).toEqual([reply, code, reply === 'accept', reply === 'accept' ? 0 : 1])
    const answer = await askHook(drv, { features })
    expect(answer.reply, answer.output).toBe(reply)
    // The hook keeps the very verdicts.
    const expected = reply === 'accept' ? [] : [{ outcome: `${reply}d`, verdicts: told.machines.map((machine) => `${machine.name}:${machine.port} ${machine.verdict}`) }]
    expect(await keptVerdicts(drv)).toEqual(expected)
  })

  it('a machine that others have found dead is set aside for the hook, and is asked all the same', async () => {
    const features = ['only-refusing']
    const drv = await derivationWith({ features })
    // Whatever the tests before have left: now it has just failed, or is set aside still.
    expect((await askHook(drv, { features })).reply).toBe('postpone')
    const told = await explain([drv])
    expect(told.machines.find(({ port }) => port === 2299)).toMatchObject({ verdict: 'resting', rank: null, asked: { verdict: 'unreachable' } })
    expect(told.machines.find(({ port }) => port === 2299)?.reason).toMatch(/^set aside until \d\d:\d\d:\d\d: .*nothing listens on .* at \d\d:\d\d:\d\d\b/)
    expect(await explainText([drv])).toMatch(/resting: set aside until .* \(asked now: connect: connecting: nothing listens on/)
    expect([told.answer.reply, (await askHook(drv, { features })).reply]).toEqual(['postpone', 'postpone'])
  })

  it('foretells a decline of what no machine is for, with or without a derivation', async () => {
    const drv = await derivationWith({ features: ['unheard-of'] })
    const told = await explain([drv])
    expect([told.answer.reply, told.status, new Set(Object.values(verdicts(told)))]).toEqual(['decline', 1, new Set(['unsuited'])])
    expect(told.answer.reason).toBe('no machine can build this kind of derivation; guix-daemon may not build it itself (--max-jobs=0), so the build fails')
    expect((await askHook(drv, { features: ['unheard-of'] })).reply).toBe('decline')
    const kind = await explain(['--system', 'armhf-linux', '--features', 'any,only-fit'])
    expect([kind.answer.reply, kind.machines[0]?.reason]).toEqual(['decline', 'builds for x86_64-linux only'])
    const foreign = await explain(['--system', foreignSystem, '--features', 'any'])
    expect([foreign.answer.reply, foreign.answer.machine]).toEqual(['accept', { name: 'fit', port: 2203 }])
  })

  it('a request that is postponed again and again is kept once', async () => {
    const drv = await derivationWith({ features: ['only-busy'] })
    await using hook = new AskedHook(farm, drv, 'ours', { features: ['only-busy'] })
    for (let count = 1; count <= 5; count += 1) {
      if (count > 1) hook.ask()
      expect(await hook.answer(count), hook.output).toBe('postpone')
    }
    expect((await askHook(drv, { features: ['only-busy'] })).reply).toBe('postpone')
    expect(await keptVerdicts(drv)).toHaveLength(1)
  })
})

describe('what keeps guix-daemon from asking', () => {
  const withDaemon = async (options: DaemonOptions, work: () => Promise<void>) => {
    farm.master.daemon.configure(options)
    await farm.master.daemon.restart()
    try {
      await work()
    } finally {
      farm.master.daemon.configure({ maxJobs: 0, hook: hookInMachine, env: {}, args: [], substituteUrls: undefined })
      await farm.master.daemon.restart()
    }
  }
  const fit: DerivationSpec = { name: 'fit', script: 'echo > $out', features: ['only-fit'] }
  const offloaded = async (spec: DerivationSpec, options: BuildOptions = {}) => {
    const { log, drv, failure } = await buildDerivation(farm.master, spec, options)
    return { asked: log.includes('@ build-remote'), drv, failure }
  }

  it('a derivation that prefers a local build is built here without asking, if this host builds for its system', async () => {
    const drv = await derivationWith({ ...fit, localBuild: true })
    expect(codes(await explain([drv]))).toEqual(['prefers-local-build (blocks)'])
    expect(await offloaded({ ...fit, localBuild: true })).toMatchObject({ asked: false, failure: undefined })
    const foreign = await derivationWith({ system: foreignSystem, localBuild: true, features: ['any'] })
    const told = await explain([foreign])
    expect([codes(told), told.answer.reply]).toEqual([[], 'accept'])
    expect(await offloaded({ ...fit, system: foreignSystem, localBuild: true, features: ['any'] })).toMatchObject({ asked: true })
  })

  it('what is built already is not built', async () => {
    const { drv, asked } = await offloaded(fit)
    expect(asked).toBe(true)
    const told = await explain([drv])
    expect([codes(told), told.answer.reply, told.status]).toEqual([['built-already (blocks)'], 'accept', 1])
  })

  it('what needs other builds first is asked for after those', async () => {
    const drv = await derivationWith({ features: ['only-fit'], inputs: { first: { name: 'first', script: 'echo > $out' } } })
    expect(codes(await explain([drv]))).toEqual(['inputs-missing'])
  })

  it('what a substitute server has is fetched from there', async () => {
    const there = farm.builder('fit')
    const spec: DerivationSpec = { ...fit, name: 'published', uniqueness: 'published' }
    expect(await buildDerivation(there, spec, { offload: false })).toMatchObject({ built: true })
    const drv = await derivationWith(spec)
    const serving = there.spawn(['guix', 'publish', '--port=8080', '--user=root'], { all: true, reject: false })
    try {
      const url = `http://${there.address}:8080`
      await waitFor('guix publish to answer', async () => !(await there.run(['sh', '-c', `busybox wget -q -O - http://localhost:8080/nix-cache-info || wget -q -O - http://localhost:8080/nix-cache-info`], { reject: false })).failed, 20_000)
      await withDaemon({ substituteUrls: url }, async () => {
        const told = await explain([drv])
        expect([codes(told), told.answer.reply]).toEqual([['substitute-available'], 'accept'])
        const { failed, stderr } = await farm.master.run(['guix', 'build', drv], { reject: false })
        expect([failed, (await farm.history()).filter(({ derivation }) => derivation === drv)], String(stderr)).toEqual([false, []])
        expect(codes(await explain([drv]))).toEqual(['built-already (blocks)'])
      })
    } finally {
      serving.kill()
      await serving
    }
  })

  it.each<[string, DaemonOptions, string]>([
    ['no hook of ours', { hook: undefined }, 'hook-not-set (blocks)'],
    ["guix's own hook", { hook: '/usr/bin/guix' }, 'hook-other (blocks)'],
    ['a hook that is not there', { hook: '/no/such/guix' }, 'hook-broken (blocks)'],
  ])('%s', async (_what, options, code) => {
    await withDaemon(options, async () => {
      const told = await explain(['--system', currentSystem, '--features', 'only-fit'])
      expect([codes(told), told.answer.reply, told.offloaded, told.status]).toEqual([[code], 'accept', false, 1])
    })
  })

  it('--no-offload, but only for clients that do not say what they want', async () => {
    await withDaemon({ args: ['--no-offload'], maxJobs: 1 }, async () => {
      const told = await explain(['--system', currentSystem, '--features', 'only-fit'])
      expect([codes(told), told.offloaded]).toEqual([['no-offload'], true])
      expect(await offloaded(fit)).toMatchObject({ asked: true })
      expect(await offloaded(fit, { offload: false })).toMatchObject({ asked: false })
    })
  })

  it('a daemon that does not run', async () => {
    await farm.master.daemon.stop()
    try {
      const told = await explain(['--system', currentSystem, '--features', 'only-fit'])
      expect(codes(told)).toEqual(['daemon-not-seen', 'local-daemon-unreachable (blocks)'])
    } finally {
      await farm.master.daemon.start()
    }
  })

  it('its jobs decide what a decline comes to', async () => {
    const reason = async () => (await explain(['--system', currentSystem, '--features', 'unheard-of'])).answer.reason
    await withDaemon({ maxJobs: 2 }, async () => expect(await reason()).toMatch(/guix-daemon builds it on this host$/))
    const dead = ['--system', currentSystem, '--features', 'only-refusing']
    await withDaemon({ maxJobs: 1 }, async () => expect((await explain(dead)).answer).toMatchObject({ reply: 'decline' }))
    expect((await explain(dead)).answer).toMatchObject({ reply: 'postpone' })
  })

  it('somebody who is neither root nor that user is told what cannot be seen', async () => {
    const { stdout } = await farm.run(['explain', '--system', currentSystem, '--features', 'only-fit', '--json'], { user: farm.master.daemonUser })
    const told = JSON.parse(String(stdout)) as Explained
    expect(['hook-unknown', undefined]).toContain(told.circumstances[0]?.code)
    expect(told.answer.reply).toBe('accept')
  })
})

describe('called wrongly', () => {
  it.each([[[]], [['/gnu/store/x']], [['/etc/passwd']], [['/gnu/store/00000000000000000000000000000000-x.drv']], [['--features', 'kvm']], [['/gnu/store/00000000000000000000000000000000-x.drv', '--system', 'x']]])(
    'exits with 2: %j',
    async (args) => {
      expect((await farm.run(['explain', ...args])).exitCode).toBe(2)
    },
  )
})

describe('afterwards', () => {
  it('the history and the provenance of an output tell how it came about', async () => {
    const { drv, outputs, failure } = await buildDerivation(farm.master, { name: 'told', script: 'echo told > $out', features: ['only-fit'] })
    expect(failure).toBeUndefined()
    const json = async (args: readonly string[]) => JSON.parse(String((await farm.run([...args, '--json'])).stdout)) as unknown
    const [entry] = (await json(['history', drv])) as { machine: string; outcome: string; verdicts: { machine: string; code: string }[] }[]
    expect(entry).toMatchObject({ kind: 'offload', machine: 'fit:22', outcome: 'built' })
    expect(entry?.verdicts.filter(({ code }) => code !== 'unsuited')).toMatchObject([{ machine: 'fit:22', code: 'chosen' }])
    const text = String((await farm.run(['history', drv])).stdout)
    expect(text).toMatch(/\tfit:22\tbuilt\t\d+\.\d\d\t\d+\.\d\d\t\d+\.\d\d\t\d+\.\d\d\t-\n  fit:22: chosen: speed 1\.5, load/)
    const failed = (await json(['history', '--failed', '-n', '0'])) as { outcome: string }[]
    expect(new Set(failed.map(({ outcome }) => outcome))).toEqual(new Set(['postponed', 'declined']))

    const out = outputs['out'] ?? ''
    const key = /#([0-9A-F]+)#/.exec(farm.builder('fit').signingKey)?.[1] ?? 'none'
    expect(await json(['provenance', out])).toMatchObject({ path: out, known: true, state: 'same', machine: 'fit:22', derivation: drv, key: `Ed25519 #${key}#` })
    const source = (await farm.master.sh('ls -d /gnu/store/*-tools')).split('\n')[0] ?? ''
    expect(await farm.run(['provenance', source])).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('nothing is known of it') as string })
  })
})
