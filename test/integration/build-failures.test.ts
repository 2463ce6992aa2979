/** How builds end that do not succeed: the derivation's own failures, machines that cannot build, keys that are not authorised. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Farm, startFarm } from '../support/farm.js'
import { buildersWith, hookProcesses, logBytes, uniqueMarker } from '../support/master-view.js'
import { buildDerivation, type BuildOptions, type DerivationSpec } from '../testbed/derivations.js'
import { waitFor } from '../testbed/wait.js'

let farm: Farm

/** Each machine has a feature of its own name, which sends a derivation there and nowhere else. */
const names = ['good', 'lazy', 'crowded', 'full', 'stranger', 'unknown'] as const
type Name = (typeof names)[number]

beforeAll(async () => {
  const own: Partial<Record<Name, object>> = {
    lazy: { maxJobs: 0 },
    crowded: { daemon: 'none', daemonArgs: ['--build-users-group=lonely'] },
    full: { storeSize: '8m' },
  }
  farm = await startFarm({
    name: 'failures',
    builders: names.map((name) => ({ name, ...own[name], fields: { features: [name], parallelBuilds: 4 } })),
  })
  await farm.master.writeFile('/etc/guix/offload.yaml', 'minimumFreeSpace: 1MiB\n')
  const crowded = farm.builder('crowded')
  await crowded.sh('groupadd --system lonely; usermod --gid lonely --append --groups lonely guixbuilder1')
  await crowded.daemon.start()
})

beforeEach(() => farm.forgetFailures())
afterAll(() => farm[Symbol.asyncDispose]())

const build = (spec: Omit<DerivationSpec, 'features'> & { readonly on?: Name }, options?: BuildOptions) => {
  const { on = 'good', ...rest } = spec
  return buildDerivation(farm.master, { ...rest, features: [on] }, options)
}

const lastOf = async (derivation: string) => (await farm.history()).findLast((entry) => entry['derivation'] === derivation)

describe('the derivation is at fault', () => {
  it('a builder that fails ends with status 100, after its log', async () => {
    const { failure, log, drv, built } = await build({ name: 'fails', script: 'echo about to fail; exit 7' })
    expect(failure).toMatchObject({ status: 100 })
    expect(built).toBe(false)
    expect(log).toContain(`offloaded to 'good' failed: good: ${drv}: building: builder for \`${drv}' failed with exit code 7`)
    expect(log).toContain(`@ build-failed ${drv} - 1 `)
    expect((await logBytes(farm.master, drv)).toString()).toMatch(/^about to fail\n/)
    expect(await lastOf(drv)).toMatchObject({ outcome: 'build-failed', status: 100, machine: 'good:22' })
  })

  it('a builder that makes no output ends with status 100', async () => {
    const { failure, log } = await build({ name: 'no-output', script: 'echo nothing' })
    expect(failure).toMatchObject({ status: 100 })
    expect(log).toContain('failed to produce output path')
  })

  it('a wrong hash is the derivation\'s failure', async () => {
    const { failure, log, drv } = await build({ name: 'wrong-hash', script: 'echo hello > $out', fixedOutput: { hash: '00'.repeat(32) } })
    // guix-daemon itself calls every failure of a fixed-output derivation transient.
    expect(failure).toMatchObject({ status: 1 })
    expect(log).toContain('hash mismatch for store item')
    expect(await lastOf(drv)).toMatchObject({ outcome: 'build-failed', status: 100 })
  })

  it('a builder that does not exist ends with status 100', async () => {
    const answer = await farm.master.repl(`(use-modules (guix store) (guix derivations) (srfi srfi-34))
(define store (open-connection))
(set-build-options store #:use-substitutes? #f #:offload? #t)
(define drv (derivation store "no-builder" "/nowhere/builder" '() #:env-vars '(("requiredSystemFeatures" . "good"))))
(guard (c ((store-protocol-error? c) (format #t "status ~a" (store-protocol-error-status c))))
  (build-derivations store (list drv)))`)
    expect(answer).toContain('status 100')
    expect((await farm.history()).at(-1)).toMatchObject({ outcome: 'build-failed', status: 100 })
  })

  it('a builder that is silent for too long ends with status 101', async () => {
    const marker = uniqueMarker()
    const { failure, log, milliseconds } = await build({ name: 'silent', script: `${marker}; echo hm; sleep 100` }, { maxSilentTime: 2 })
    expect(failure).toMatchObject({ status: 101 })
    expect(log).toContain('hm\n')
    // Both daemons watch, and either may be the first.
    expect(log).toContain(' timed out after 2 seconds of silence')
    expect(milliseconds).toBeLessThan(30_000)
    await waitFor('the builder to end', async () => (await buildersWith(marker)).length === 0, 30_000)
  })

  it.each(['while :; do echo tick; done', 'sleep 100'])('a builder that takes too long ends with status 101 and is gone: %s', async (work) => {
    const marker = uniqueMarker()
    const { failure, log, milliseconds } = await build({ name: 'long', script: `${marker}; ${work}` }, { timeout: 3, maxSilentTime: 50 })
    expect(failure).toMatchObject({ status: 101 })
    expect(log).toContain(' timed out after ')
    expect(milliseconds).toBeLessThan(40_000)
    await waitFor('the builder to end', async () => (await buildersWith(marker)).length === 0, 30_000)
    await waitFor('the hook to end', async () => (await hookProcesses(farm.master)).length === 0, 30_000)
  })
})

describe('the machine is at fault, and there is no other', () => {
  it('a daemon that may not build', async () => {
    const { failure, log, drv } = await build({ name: 'lazy', script: 'echo > $out', on: 'lazy' })
    expect(failure).toMatchObject({ status: 1 })
    expect(log).toContain(`lazy: ${drv}: building: unable to start any build`)
    expect(log).toContain('Its guix-daemon runs with --max-jobs=0')
    expect(log).toContain(`no other machine can take '${drv}' now`)
    expect(await lastOf(drv)).toMatchObject({ outcome: 'machine-failed', error: { code: 'builds-disabled' } })
  })

  it('a daemon whose build users are all at work', async () => {
    const marker = uniqueMarker()
    const first = build({ name: 'first', script: `${marker}; sleep 6; echo > $out`, on: 'crowded' })
    await waitFor('the first build to run', async () => (await buildersWith(marker)).length > 0, 20_000)
    const { failure, log, drv } = await build({ name: 'second', script: 'echo > $out', on: 'crowded' })
    expect(failure).toMatchObject({ status: 1 })
    expect(log).toContain(`crowded: ${drv}: building: all build users are currently in use`)
    expect(await lastOf(drv)).toMatchObject({ outcome: 'machine-failed', error: { code: 'build-users-exhausted' } })
    expect((await first).failure).toBeUndefined()
  })

  it('a store that fills up while inputs are sent', async () => {
    await farm.master.sh('mkdir -p /tmp/big; head -c 20000000 /dev/urandom > /tmp/big/data')
    const { failure, log, drv } = await build({ name: 'big-input', script: 'echo > $out', sources: { BIG: '/tmp/big' }, on: 'full' })
    expect(failure).toMatchObject({ status: 1 })
    expect(log).toMatch(/failed: full: sending store items: .*No space left on device/)
    expect(await lastOf(drv)).toMatchObject({ outcome: 'machine-failed', error: { code: 'disk-full' } })
    // Nothing half-imported is in the way once there is room.
    expect(await farm.builder('full').sh('ls /gnu/store')).not.toContain('-big')
  })

  it('a store that fills up while it builds', async () => {
    const { failure, log, drv } = await build({ name: 'too-big', script: 'head -c 30000000 /dev/zero > $out', on: 'full' })
    expect(failure).toMatchObject({ status: 1 })
    expect(log).toContain(`full: ${drv}: building: the build failed with next to no disk space left`)
    expect(await lastOf(drv)).toMatchObject({ outcome: 'machine-failed', error: { code: 'disk-full' } })
  })
})

describe('keys that are not authorised', () => {
  const keyOf = (machine: { readonly signingKey: string }) => /#([0-9A-F]+)#/.exec(machine.signingKey)?.[1] ?? 'no key'

  it('ours, there: the message names machine, item, key and cure', async () => {
    await farm.builder('stranger').writeFile('/etc/guix/acl', '(acl)\n')
    const { failure, log, drv } = await build({ name: 'stranger', script: 'echo > $out', on: 'stranger' })
    expect(failure).toMatchObject({ status: 1 })
    const [line = ''] = log.split('\n').filter((text) => text.includes(`offloaded to 'stranger' failed`))
    expect(line).toMatch(/failed: stranger: \/gnu\/store\/[a-z0-9]{32}-tools: sending store items: /)
    expect(line).toContain(keyOf(farm.master))
    expect(line).toContain('guix archive --authorize')
    expect(await lastOf(drv)).toMatchObject({ outcome: 'machine-failed', error: { code: 'signing-key-not-authorized' } })
  })

  it('the machine\'s, here: the message names machine, item, key and cure, and nothing enters the store', async () => {
    const acl = await farm.master.readFile('/etc/guix/acl')
    await farm.master.writeFile('/etc/guix/acl', '(acl)\n')
    const { failure, log, drv, outputs, built } = await build({ name: 'unknown', script: 'echo > $out', on: 'unknown' })
    expect(failure).toMatchObject({ status: 1 })
    expect(built).toBe(false)
    const [line = ''] = log.split('\n').filter((text) => text.includes(`offloaded to 'unknown' failed`))
    expect(line).toContain(`failed: unknown: ${outputs['out'] ?? ''}: checking the signature: `)
    expect(line).toContain(keyOf(farm.builder('unknown')))
    expect(line).toContain('guix archive --authorize')
    expect(await lastOf(drv)).toMatchObject({ outcome: 'machine-failed', error: { code: 'unauthorized-key' } })
    expect(await farm.master.sh('ls /gnu/store; ls /var/guix/offload/arriving')).not.toMatch(/guix-offload-|-unknown$/m)

    await farm.master.writeFile('/etc/guix/acl', acl)
    expect((await build({ name: 'known', script: 'echo > $out', on: 'unknown' })).failure).toBeUndefined()
  })
})
