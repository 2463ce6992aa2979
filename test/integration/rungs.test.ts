/** Every rung to the store of a build machine, with Guix 1.5.0 and 1.2.0 there: the same build, the same failures, nothing left behind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { heldStoreLocks, leftOnMaster, settledAfterKill } from '../support/leftovers.js'
import { buildersWith, logBytes, uniqueMarker } from '../support/master-view.js'
import { machineOptions, rungKinds, takeAway } from '../support/rung-kinds.js'
import { contentsComplaints, factsOf, listingOf } from '../support/store-facts.js'
import { buildDerivation, type BuildOptions, type DerivationSpec } from '../testbed/derivations.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm

beforeAll(async () => {
  farm = await startFarm({ name: 'rungs', builders: rungKinds.map((kind) => ({ ...machineOptions(kind), fields: { features: [kind.name], parallelBuilds: 2 } })) })
  await Promise.all(rungKinds.map((kind) => takeAway(farm.builder(kind.name), kind)))
})

afterAll(() => farm[Symbol.asyncDispose]())

const historyOf = async (derivation: string) => (await farm.history()).findLast((entry) => entry['derivation'] === derivation)

describe.each(rungKinds)('$name', ({ name, rung }) => {
  const build = (spec: Omit<DerivationSpec, 'features'>, options?: BuildOptions) => buildDerivation(farm.master, { ...spec, features: [name] }, options)

  it(`is found to have the rung: ${rung}`, async () => {
    const { stdout, stderr } = await farm.run(['status', '--json', '/etc/guix/machines.scm', `^${name}$`])
    expect(JSON.parse(String(stdout)), `${String(stdout)}\n${String(stderr)}`).toMatchObject([{ name, rung }])
    const test = await farm.run(['test', '--json', '/etc/guix/machines.scm', `^${name}$`])
    const [report] = JSON.parse(String(test.stdout)) as { ok: boolean; steps: { step: string; detail: string }[] }[]
    expect(report?.ok, String(test.stdout)).toBe(true)
    expect(report?.steps).toContainEqual(expect.objectContaining({ step: 'daemon', detail: `/var/guix/daemon-socket/socket by ${rung}` }))
    expect(JSON.parse(await farm.master.readFile(`/var/guix/offload/${name}:22/rung.json`))).toMatchObject({ rung })
  })

  it('builds with inputs that only the master has, and brings the outputs back', async () => {
    const weird = String.raw`$(printf 'caf\303\251 \377 name')`
    const input = { name: 'input', localBuild: true, script: `mkdir $out; echo $out > "$out/${weird}"` }
    const outcome = await build({
      name: 'two-outputs',
      outputs: ['out', 'lib'],
      inputs: { INPUT: input },
      script: `echo the builder speaks; echo $INPUT > $lib; mkdir $out; echo $lib > $out/lib; cp "$INPUT/${weird}" "$out/${weird}"`,
    })
    expect(outcome.failure, outcome.log).toBeUndefined()
    expect(outcome.log).toContain(`@ build-remote ${outcome.drv} ${name}\n`)
    expect((await logBytes(farm.master, outcome.drv)).toString()).toBe('the builder speaks\n')
    const items = Object.values(outcome.outputs)
    const facts = await factsOf(farm.master, items)
    expect(facts).toEqual(await factsOf(farm.builder(name), items))
    expect(facts.flatMap(({ references }) => references).filter((path) => path.endsWith('-input'))).not.toEqual([])
    for (const item of items) expect(await listingOf(farm.master, item)).toEqual(await listingOf(farm.builder(name), item))
  })

  it('passes on what the builder prints, without what others print around it', async () => {
    const script = String.raw`printf 'no end yet'; sleep 0.3; printf ', caf\303\251\r\n\tbuilding of things\n@ build-started x\n\n'; echo on stderr >&2; printf 'no end at all'; echo > $out`
    const outcome = await build({ name: 'talker', script })
    expect(outcome.failure, outcome.log).toBeUndefined()
    expect((await logBytes(farm.master, outcome.drv)).toString()).toBe('no end yet, café\r\n\tbuilding of things\n@ build-started x\n\non stderr\nno end at all')
  })

  it('a builder that fails ends with status 100', async () => {
    const { failure, log, drv } = await build({ name: 'fails', script: 'echo about to fail; exit 7' })
    expect(failure).toMatchObject({ status: 100 })
    expect(log).toContain(`offloaded to '${name}' failed: ${name}: ${drv}: building: builder for \`${drv}' failed with exit code 7`)
    expect((await logBytes(farm.master, drv)).toString()).toBe(`about to fail\nbuilder for \`${drv}' failed with exit code 7\n`)
    expect(await historyOf(drv)).toMatchObject({ outcome: 'build-failed', status: 100, error: { code: 'build-failed' } })
  })

  it('a client that goes away ends a silent build', async () => {
    const marker = uniqueMarker()
    const client = new AbortController()
    const going = build({ name: 'silent', script: `${marker}; sleep 1000; echo > $out` }, { signal: client.signal }).catch((error: unknown) => error)
    await waitFor('the builder to run', async () => (await buildersWith(marker)).length > 0, 20_000)
    client.abort()
    expect(await going).toBeInstanceOf(Error)
    const milliseconds = await settledAfterKill(farm, farm.builder(name), marker)
    console.info(`${name}: settled in ${milliseconds} ms after the client went away`)
  })

  it('refuses our key as the others do', async () => {
    const builder = farm.builder(name)
    const acl = await builder.readFile('/etc/guix/acl')
    await builder.writeFile('/etc/guix/acl', '(acl)\n')
    const input = { name: 'unwanted', localBuild: true, script: 'echo > $out' }
    const { failure, log, drv } = await build({ name: 'stranger', inputs: { INPUT: input }, script: 'echo > $out' })
    await builder.writeFile('/etc/guix/acl', `${acl}\n`)
    expect(failure).toMatchObject({ status: 1 })
    expect(log).toMatch(new RegExp(`offloaded to '${name}' failed: ${name}: /gnu/store/[a-z0-9]{32}-\\S+: sending store items: the machine does not accept what we sign`))
    expect(log).toContain('guix archive --authorize')
    expect(await historyOf(drv)).toMatchObject({ outcome: 'machine-failed', error: { code: 'signing-key-not-authorized' } })
  })

  it('says that no daemon listens', async () => {
    const builder = farm.builder(name)
    await builder.daemon.stop()
    const { stdout } = await farm.run(['test', '--json', '/etc/guix/machines.scm', `^${name}$`])
    await builder.daemon.start()
    const [report] = JSON.parse(String(stdout)) as { steps: { outcome: string; step: string; error: { code: string } | null }[] }[]
    expect(report?.steps.find(({ outcome }) => outcome === 'failed')).toMatchObject({ step: 'daemon', error: { code: 'socket-unavailable' } })
    const again = await build({ name: 'again', script: 'echo > $out' })
    expect(again.failure, again.log).toBeUndefined()
  })
})

describe('at last', () => {
  it('stores are sound and nothing is left', async () => {
    expect(await contentsComplaints(farm.master)).toEqual([])
    expect(await leftOnMaster(farm)).toEqual([])
    expect(await heldStoreLocks(farm.master)).toEqual([])
    for (const { name } of rungKinds) expect(await contentsComplaints(farm.builder(name)), name).toEqual([])
  })
})
