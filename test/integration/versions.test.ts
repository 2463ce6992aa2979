/**
 * Every way of running guix-daemon (1.5.0 as root, 1.5.0 as the user guix-daemon, 1.2.0 as root) as master with every one as build machine.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hookInMachine, installHook } from '../support/farm.js'
import { contentsComplaints, expectNothingLeft, factsOf, listingOf } from '../support/store-facts.js'
import { TestBed, type MachineOptions } from '../testbed/bed.js'
import { buildDerivation, currentSystem, type DerivationSpec, outputOf } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'

const kinds = {
  'root': { guix: '1.5.0', daemon: 'root' },
  'unprivileged': { guix: '1.5.0', daemon: 'unprivileged' },
  'old': { guix: '1.2.0', daemon: 'root' },
} as const satisfies Record<string, Partial<MachineOptions>>
type Kind = keyof typeof kinds
const kindNames = Object.keys(kinds) as Kind[]
const pairs = kindNames.flatMap((master) => kindNames.map((builder) => [master, builder] as const))
const starts = '/tmp/hook-starts'

let bed: TestBed
const masters = new Map<Kind, Machine>()
const builders = new Map<Kind, Machine>()

const of = (machines: ReadonlyMap<Kind, Machine>, kind: Kind): Machine => {
  const machine = machines.get(kind)
  if (machine === undefined) throw new Error(`No ${kind} machine`)
  return machine
}

beforeAll(async () => {
  bed = await TestBed.up({ name: 'versions' })
  await Promise.all(kindNames.flatMap((kind) => [
    bed.machine({ name: `master-${kind}`, maxJobs: 0, hook: hookInMachine, ...kinds[kind] }).then((machine) => masters.set(kind, machine)),
    bed.machine({ name: `builder-${kind}`, sshd: true, ...kinds[kind] }).then((machine) => builders.set(kind, machine)),
  ]))
  for (const master of masters.values()) {
    await installHook(master, { before: `echo "$(id -un) $HOME $*" >> ${starts}` })
    for (const builder of builders.values()) await bed.authorize(master, builder)
    // A feature of its own makes a derivation go to one machine; the last one's key only root can read.
    const lockedKey = await master.installUserKey({ owner: 'root' })
    const target = of(builders, 'root')
    await writeMachinesScm(master, [
      ...kindNames.map((name) => [of(builders, name), { features: [`on-${name}`] }] as const),
      [target, { name: target.address, privateKey: lockedKey, features: ['locked-key'] }],
    ])
  }
})

afterAll(() => bed.down())

/** Two outputs that refer to an input that only the master has, to each other and to themselves; names that are no UTF-8 in all of them. */
const twoOutputs = (builder: Kind): DerivationSpec => {
  const weird = String.raw`$(printf 'caf\303\251 \377 name')`
  const input = { name: 'input', localBuild: true, script: `mkdir $out; echo $out > "$out/${weird}"` }
  return {
    name: 'two-outputs',
    features: [`on-${builder}`],
    outputs: ['out', 'lib'],
    inputs: { INPUT: input },
    script: `echo "the builder speaks"; mkdir $out $lib; cp "$INPUT/${weird}" "$lib/${weird}"; echo $lib > $lib/self; ln -s $lib/self "$out/${weird}"; printf '#!/bin/sh\\n' > $out/run; chmod +x $out/run`,
  }
}

describe.each(pairs)('master %s, build machine %s', (masterKind, builderKind) => {
  it('builds there and registers what a build there registers', async () => {
    const master = of(masters, masterKind)
    const builder = of(builders, builderKind)
    const spec = twoOutputs(builderKind)
    const outcome = await buildDerivation(master, spec)
    expect(outcome.failure).toBeUndefined()
    expect(outcome.built).toBe(true)
    expect(outcome.log).toContain('the builder speaks')
    expect(outcome.log).toContain(`@ build-remote ${outcome.drv} ${builder.name}\n`)
    expect(outcome.log).toContain(`done with offloaded '${outcome.drv}'`)

    const { out = '', lib = '' } = outcome.outputs
    const [outFacts, libFacts] = await factsOf(master, [out, lib])
    const input = (libFacts?.references ?? []).find((path) => path.endsWith('-input'))
    expect(outFacts?.references).toEqual([lib])
    expect(libFacts?.references).toEqual([input, lib].sort())
    const items = [out, lib, input ?? '']
    expect(await factsOf(master, items)).toEqual(await factsOf(builder, items))
    for (const item of items) expect(await listingOf(master, item)).toEqual(await listingOf(builder, item))
    expect(await master.sh(`stat -c %U ${out} ${lib} ${out}/run | sort -u`)).toBe(master.daemonUser)
  })
})

describe.each(kindNames)('master %s', (kind) => {
  it('uses the output of one build machine on another', async () => {
    const master = of(masters, kind)
    const first = twoOutputs('root')
    const middle: DerivationSpec = { name: 'middle', features: ['on-unprivileged'], inputs: { FIRST: outputOf(first, 'lib') }, script: 'echo $FIRST > $out; cat $FIRST/self >> $out' }
    const last: DerivationSpec = { name: 'last', features: ['on-old'], inputs: { MIDDLE: middle }, script: 'cat $MIDDLE > $out' }
    const outcome = await buildDerivation(master, last)
    expect(outcome.failure).toBeUndefined()
    expect(outcome.log.match(/^@ build-remote .*/gm)?.map((line) => line.split(' ')[3])).toEqual(['builder-root', 'builder-unprivileged', 'builder-old'])
    const { out = '' } = outcome.outputs
    const facts = await factsOf(master, [out])
    expect(facts[0]?.references).toHaveLength(1)
    expect(facts).toEqual(await factsOf(of(builders, 'old'), [out]))
  })

  it('starts the hook as the daemon\'s user, with the arguments of its version', async () => {
    const master = of(masters, kind)
    for (const printBuildTrace of [true, false]) {
      await master.sh(`: > ${starts}`)
      const outcome = await buildDerivation(master, { name: 'trace', script: 'echo > $out', features: ['on-root'] }, { printBuildTrace, maxSilentTime: 77, timeout: 99 })
      expect(outcome.built, outcome.log).toBe(true)
      const identity = kind === 'unprivileged' ? 'guix-daemon /var/empty' : 'root /root'
      const trace = kind === 'old' ? (printBuildTrace ? '1' : '0') : String(printBuildTrace)
      expect((await master.readFile(starts)).split('\n')).toContain(`${identity} offload ${currentSystem} 77 ${trace} 99`)
    }
  })

  it('keeps its state in files of the daemon\'s user', async () => {
    const master = of(masters, kind)
    expect(await master.sh('stat -c %U /var/guix/offload; find /var/guix/offload -printf "%u\\n" | sort -u')).toBe(`${master.daemonUser}\n${master.daemonUser}`)
    for (const builder of builders.values()) expect(await master.sh(`ls /var/guix/offload/${builder.name}:22`)).toContain('0')
    const history = (await master.readFile('/var/guix/offload/history.jsonl')).trim().split('\n').map((line) => JSON.parse(line) as { machine: string; outcome: string })
    for (const builder of builders.values()) expect(history).toContainEqual(expect.objectContaining({ machine: `${builder.name}:22`, outcome: 'built' }))
  })

  it('has a sound store and nothing left behind', async () => {
    const master = of(masters, kind)
    expect(await contentsComplaints(master)).toEqual([])
    await expectNothingLeft(master)
  })
})

it.each(kindNames)('build machine %s has a sound store', async (kind) => {
  expect(await contentsComplaints(of(builders, kind))).toEqual([])
})

describe('the unprivileged master', () => {
  it('reads a key of its user\'s own, which nobody else can', async () => {
    const master = of(masters, 'unprivileged')
    const key = /private-key "([^"]+)"/.exec(await master.readFile('/etc/guix/machines.scm'))?.[1] ?? ''
    expect(await master.sh(`stat -c '%U %a' ${key}`)).toBe('guix-daemon 600')
  })

  it('says which key it cannot read, and as whom', async () => {
    const master = of(masters, 'unprivileged')
    const client = new AbortController()
    let log = ''
    const onLog = (text: string) => {
      log += text
      if (/\/root\/\.ssh\/id_ed25519.*\n/.test(log)) client.abort()
    }
    await expect(buildDerivation(master, { name: 'locked', script: 'echo > $out', features: ['locked-key'] }, { onLog, signal: client.signal })).rejects.toThrow()
    expect(log).toMatch(/\/root\/\.ssh\/id_ed25519/)
    expect(log).toMatch(/\/root.*open only to uid 0 \(root\); we run as uid \d+ \(guix-daemon\)/)
  }, 30_000)

  it('offloads with that key as root', async () => {
    const outcome = await buildDerivation(of(masters, 'root'), { name: 'locked', script: 'echo > $out', features: ['locked-key'] })
    expect(outcome.built, outcome.log).toBe(true)
  })
})
