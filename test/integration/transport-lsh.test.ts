/**
 * Build machines on which nothing but GNU lshd runs, reached by transport lsh and by ssh2 with legacy algorithms, from a daemon without root's rights: whole builds, and
 * nothing left behind.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { settledAfterKill } from '../support/leftovers.js'
import { buildersWith, uniqueMarker } from '../support/master-view.js'
import { factsOf, listingOf } from '../support/store-facts.js'
import { buildDerivation } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'
import { waitFor } from '../testbed/wait.js'

const machines = [
  { name: 'by-lsh', settings: 'transport: lsh', server: 'lshd-2.1' },
  { name: 'by-ssh2', settings: 'legacyAlgorithms: true', server: 'lshd-2.1' },
] as const
const file = '/etc/guix/machines.scm'

let farm: Farm
let key: string

const entries = (overrides: Readonly<Record<string, string>> = {}) => writeMachinesScm(
  farm.master,
  farm.builders.map((machine) => [machine, { features: [machine.name], hostKey: overrides[machine.name] ?? machine.hostKeyRsa, privateKey: key }] as const),
)

const foldersOn = (machine: Machine) => machine.sh('find /tmp -name "guix-offload-lsh-*"')
const lshOn = async (machine: Machine) => (await machine.processes()).filter(({ command }) => command.some((word) => /(?:^|\/)lsh$/.test(word)))

beforeAll(async () => {
  farm = await startFarm({ name: 'lsh', master: { daemon: 'unprivileged' }, builders: machines.map(({ name }) => ({ name, sshd: false })) })
  await Promise.all(farm.builders.map((builder) => builder.startLshd()))
  key = await farm.master.installUserKey({ type: 'rsa' })
  await entries()
  const settings = machines.map(({ name, settings: line }) => `  ${name}: { ${line} }\n`).join('')
  await farm.master.writeFile('/etc/guix/offload.yaml', `machines:\n${settings}`)
})

beforeEach(() => farm.forgetFailures())
afterAll(() => farm[Symbol.asyncDispose]())

describe.each(machines)('$name', ({ name, server }) => {
  it('passes the test of the machine', async () => {
    const { stdout, stderr } = await farm.run(['test', '--json', file, `^${name}$`])
    const [report] = JSON.parse(String(stdout)) as { ok: boolean }[]
    expect(report, String(stderr)).toMatchObject({ ok: true })
    const status = await farm.run(['status', '--json', file, `^${name}$`])
    const [shown] = JSON.parse(String(status.stdout)) as { transport: { server: string } }[]
    expect(shown?.transport.server).toContain(server)
  })

  it('builds, with an input that only the master has', async () => {
    const input = { name: 'input', localBuild: true, script: 'head -c 3000000 /dev/urandom > $out' }
    const outcome = await buildDerivation(farm.master, {
      name: 'over-lshd',
      features: [name],
      inputs: { INPUT: input },
      script: 'echo the builder speaks; mkdir $out; cp $INPUT $out/copy; echo $INPUT > $out/reference',
    })
    expect(outcome.failure, outcome.log).toBeUndefined()
    expect(outcome.log).toContain(`@ build-remote ${outcome.drv} ${name}\n`)
    const items = Object.values(outcome.outputs)
    expect(await factsOf(farm.master, items)).toEqual(await factsOf(farm.builder(name), items))
    for (const item of items) expect(await listingOf(farm.master, item)).toEqual(await listingOf(farm.builder(name), item))
  })

  it('passes a failure of the build on', async () => {
    const { failure, log } = await buildDerivation(farm.master, { name: 'fails', features: [name], script: `echo ${uniqueMarker()}; exit 7` })
    expect(failure).toMatchObject({ status: 100 })
    expect(log).toContain('failed with exit code 7')
  })
})

describe('transport lsh', () => {
  it('leaves no lsh and no folder behind', async () => {
    await waitFor('lsh to be gone', async () => (await lshOn(farm.master)).length === 0)
    expect(await foldersOn(farm.master)).toBe('')
  })

  it('ends a silent build when the client goes away, and leaves nothing on either side', async () => {
    const marker = uniqueMarker()
    const client = new AbortController()
    const spec = { name: 'silent', features: ['by-lsh'], script: `${marker}; sleep 1000; echo > $out` }
    const going = buildDerivation(farm.master, spec, { signal: client.signal }).catch((error: unknown) => error)
    await waitFor('the builder to run', async () => (await buildersWith(marker)).length > 0, 20_000)
    expect(await lshOn(farm.master)).not.toEqual([])
    client.abort()
    expect(await going).toBeInstanceOf(Error)
    await settledAfterKill(farm, farm.builder('by-lsh'), marker)
    expect(await lshOn(farm.master)).toEqual([])
  })

  it('ends with the process that uses it even if that is killed', async () => {
    const marker = uniqueMarker()
    const spec = { name: 'orphaned', features: ['by-lsh'], script: `${marker}; sleep 1000; echo > $out` }
    const going = buildDerivation(farm.master, spec)
    await waitFor('the builder to run', async () => (await buildersWith(marker)).length > 0, 20_000)
    const hooks = (await farm.master.processes()).filter(({ command }) => command.some((word) => word.endsWith('bin/run.js')))
    expect(hooks).not.toEqual([])
    for (const { hostPid } of hooks) process.kill(hostPid, 'SIGKILL')
    expect((await going).failure).toBeDefined()
    await waitFor('lsh to be gone', async () => (await lshOn(farm.master)).length === 0)
    expect(await foldersOn(farm.master)).toBe('')
    await waitFor('the builder to be gone', async () => (await buildersWith(marker)).length === 0)
  })

  it('refuses a machine that shows another host key than the pinned one, and says which', async () => {
    await entries({ 'by-lsh': farm.builder('by-ssh2').hostKeyRsa })
    const { stdout, exitCode } = await farm.run(['test', '--json', file, '^by-lsh$'])
    expect(exitCode).toBe(1)
    expect(stdout).toContain('host-key-mismatch')
    expect(String(stdout).match(/SHA256:[A-Za-z0-9+/]{43}/g)?.length).toBeGreaterThanOrEqual(2)
    await entries()
  })
})
