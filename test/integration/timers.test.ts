/**
 * Each wait has a timer of its own, and none is taken for another: all but the builder's own limits are set to a few seconds here, and a build that is silent for far longer than all of
 * them together passes. Only their ratio to the silence matters: with the default timers (15 s between keep-alive messages, 60 s for a stalled transfer) the same build could be
 * silent for as long as its own limit of silence allows.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Farm } from '../support/farm.js'
import { expectNothingLeftOf, runRow, startFaultFarm } from '../support/fault-matrix.js'
import { buildersWith, uniqueMarker } from '../support/master-view.js'
import { buildDerivation } from '../testbed/derivations.js'
import { processTree, signalProcess } from '../testbed/processes.js'
import { waitFor } from '../testbed/wait.js'

const silence = 20

describe.each(['ssh2', 'openssh'] as const)('by transport %s', (transport) => {
  let farm: Farm
  beforeAll(async () => {
    farm = await startFaultFarm({ name: `timers-${transport}` })
    const timeouts = 'timeouts: { connect: 2s, handshake: 3s, keepAlive: 1s, keepAliveMisses: 2, stall: 3s }'
    await farm.master.writeFile('/etc/guix/offload.yaml', `transport: ${transport}\n${timeouts}\n`)
  })
  afterAll(() => farm[Symbol.asyncDispose]())

  it('a build that is silent for longer than all timers together passes on a link that lives', async () => {
    const { failure, log, outputs, drv } = await buildDerivation(farm.master, { name: 'silent', script: `sleep ${silence}; echo built > $out`, features: ['alone'] })
    expect(failure, log).toBeUndefined()
    expect(await farm.master.readFile(outputs['out'] ?? '')).toBe('built')
    const [entry, ...more] = (await farm.history()).filter(({ derivation }) => derivation === drv)
    expect(more).toEqual([])
    expect((entry?.['seconds'] as { build: number }).build).toBeGreaterThan(silence)
  })

  it('and is given up when its link is lost after that silence', async () => {
    const marker = uniqueMarker()
    const b1 = farm.builder('b1')
    const begun = performance.now()
    const building = buildDerivation(farm.master, { name: 'silent-and-lost', script: `${marker}; sleep 300; echo > $out`, features: ['alone'] })
    await waitFor('the builder to run', async () => (await buildersWith(marker)).length > 0, 30_000)
    // Nothing has moved but keep-alive messages for longer than any timer.
    await waitFor('a long silence', () => performance.now() - begun > 8_000, 60_000)
    expect((await buildersWith(marker)).length).toBeGreaterThan(0)
    const cut = performance.now()
    await b1.disconnect()
    const { failure, log } = await building
    const noticed = Math.round(performance.now() - cut)
    await b1.reconnect()
    expect(failure).toMatchObject({ status: 1 })
    expect(log).toMatch(/failed: b1: .*the connection was lost/)
    console.info(`${transport}: lost after a silence: the build had failed ${noticed} ms later`)
    expect(noticed).toBeLessThan(60_000)
    await farm.forgetFailures()
    await expectNothingLeftOf(farm, { marker })
  })

  it.each([
    ['chatty', 'i=0; while :; do echo tick; i=$((i + 1)); done'],
    ['silent', 'sleep 300'],
  ])('a %s build does not outlive the limit of its time', async (_kind, work) => {
    const marker = uniqueMarker()
    const { failure, log, milliseconds } = await buildDerivation(farm.master, { name: 'long', script: `${marker}; ${work}`, features: ['alone'] }, { timeout: 4, maxSilentTime: 100 })
    expect(failure, log.slice(-2000)).toMatchObject({ status: 101 })
    expect(milliseconds).toBeLessThan(60_000)
    await expectNothingLeftOf(farm, { marker })
  })

  it('a builder that is silent for longer than it may be is ended, though the link lives', async () => {
    const marker = uniqueMarker()
    const { failure, log } = await buildDerivation(farm.master, { name: 'too-silent', script: `${marker}; echo hm; sleep 300`, features: ['alone'] }, { maxSilentTime: 4 })
    expect(failure, log).toMatchObject({ status: 101 })
    expect(log).toContain(' timed out after 4 seconds of silence')
    await expectNothingLeftOf(farm, { marker })
  })

  it('a transfer on which nothing moves is given up, though the link lives', async () => {
    const seen = await runRow(farm, { phase: 'fetch', strike: (b1) => b1.daemon.pause(), mend: (b1) => b1.daemon.resume() })
    const { outcome: { failure, log }, history } = seen
    expect(failure, log).toBeUndefined()
    expect(history, log).toMatchObject([{ machine: 'b1:22', outcome: 'machine-failed', error: { code: 'daemon-silent' } }, { machine: 'b2:22', outcome: 'built' }])
    expect(log).toContain('the daemon has said nothing for 3 s')
    await expectNothingLeftOf(farm, seen)
  })
})

describe('the first machine is given up while its daemon still builds', () => {
  let farm: Farm
  beforeAll(async () => {
    farm = await startFaultFarm({ name: 'cancel' })
  })
  afterAll(() => farm[Symbol.asyncDispose]())

  // Never a build twice at the same time where the first may still be running and can be reached.
  it('its builder is gone before the second machine is asked for the build', async () => {
    const b1 = farm.builder('b1')
    let atSecond: number[] | undefined
    const marker = uniqueMarker()
    let log = ''
    const looking: Promise<unknown>[] = []
    await farm.forgetFailures()
    await farm.builder('b2').sshd.pause()
    const building = buildDerivation(farm.master, { name: 'cancelled-first', script: `${marker}; sleep 5; echo built > $out`, features: ['pair'] }, {
      onLog(text) {
        log += text
        if (log.includes("@ build-remote") && log.includes(" b2\n") && atSecond === undefined) {
          atSecond = []
          looking.push(buildersOn(marker, b1.holderPid).then((pids) => (atSecond = pids)))
        }
      },
    })
    await waitFor('the builder on b1 to run', async () => (await buildersWith(marker)).length > 0, 30_000)
    await farm.builder('b2').sshd.resume()
    // Its server ends the session, as an administrator would: the machine can be reached, and its daemon still builds.
    const sessions = (await b1.processes()).filter(({ command, hostPid }) => /sshd/.test(command[0] ?? '') && hostPid !== b1.sshd.pid)
    expect(sessions.length).toBeGreaterThan(0)
    for (const { hostPid } of sessions) signalProcess(hostPid, 'SIGKILL')
    const { failure } = await building
    await Promise.all(looking)
    expect(failure, log).toBeUndefined()
    expect(log).toMatch(/'b1' failed \([a-z-]+\); trying 'b2'/)
    expect(atSecond).toEqual([])
    await expectNothingLeftOf(farm, { marker })
  })
})

/** Builders with that marker whose machine is the one with that holder: their PID namespaces are its own's children. */
async function buildersOn(marker: string, holderPid: number): Promise<number[]> {
  const [pids, tree] = await Promise.all([buildersWith(marker), processTree(holderPid)])
  return pids.filter((pid) => tree.includes(pid))
}
