/**
 * One row of the fault matrix: a build on b1 that is in a certain phase, a fault that strikes there and then, and what became of it. The faster of two machines is b1,
 * so it is chosen first; b2 is kept out of the race until b1 has been chosen, or a busy host might let it win. Faults strike on conditions, never after a while.
 */
import { expect } from 'vitest'
import { buildDerivation, type BuildOptions, type DerivationSpec } from '../testbed/derivations.js'
import type { Machine } from '../testbed/machine.js'
import { writeMachinesScm } from '../testbed/machines-scm.js'
import { waitFor } from '../testbed/wait.js'
import { endControlMasters } from './control-masters.js'
import { type Farm, type FarmOptions, startFarm } from './farm.js'
import { heldStoreLocks, leftOnMaster, servants, strangersAfterInterruption, takenSlots } from './leftovers.js'
import { buildersWith, hookProcesses, uniqueMarker } from './master-view.js'

export type FaultPhase = 'connect' | 'probe' | 'send' | 'build' | 'fetch'
export const faultPhases: readonly FaultPhase[] = ['connect', 'probe', 'send', 'build', 'fetch']
/** Those that come after the machine has been chosen: the user is told that another one takes over. */
export const phasesAfterChoice: readonly FaultPhase[] = ['send', 'build', 'fetch']

const mebibyte = 2 ** 20
/** In all of them something moves for some seconds. */
const transferBytes = 6 * mebibyte
const slowLink = '8mbit'

/** Far below what a build here takes. A silent link is given up after 0.9 s. */
export const quickTimeouts = 'timeouts: { connect: 2s, handshake: 3s, keepAlive: 300ms, keepAliveMisses: 3, stall: 3s }\n'

export interface FaultFarmOptions {
  readonly name: string
  /** More of the configuration file. */
  readonly configuration?: string
  readonly b1?: Partial<FarmOptions['builders'][number]>
  readonly master?: FarmOptions['master']
  /** Nothing but GNU lshd runs on b1, which is reached by transport lsh. */
  readonly lshd?: boolean
}

/** Features: `pair` both machines have, `alone` only b1. */
export async function startFaultFarm({ name, configuration = '', b1 = {}, master = {}, lshd = false }: FaultFarmOptions): Promise<Farm> {
  const fields = { b1: { speed: 2, features: ['pair', 'alone'], ...b1.fields }, b2: { speed: 1, features: ['pair', 'second'] } }
  const farm = await startFarm({
    name,
    master,
    builders: [{ ...b1, ...(lshd ? { sshd: false } : {}), name: 'b1', fields: fields.b1 }, { name: 'b2', fields: fields.b2 }],
  })
  await farm.master.writeFile('/etc/guix/offload.yaml', `${quickTimeouts}${configuration}${lshd ? 'machines:\n  b1: { transport: lsh }\n' : ''}`)
  if (lshd) {
    const server = farm.builder('b1')
    await server.startLshd()
    const privateKey = await farm.master.installUserKey({ type: 'rsa' })
    await writeMachinesScm(farm.master, [[server, { ...fields.b1, hostKey: server.hostKeyRsa, privateKey }], [farm.builder('b2'), fields.b2]])
  }
  await holdableProbe(farm.builder('b1'))
  // What every derivation needs is there already.
  for (const feature of ['alone', 'second']) {
    const { failure, log } = await buildDerivation(farm.master, { name: 'first', script: 'echo > $out', features: [feature] })
    expect(failure, log).toBeUndefined()
  }
  return farm
}

const probeHeld = '/run/hold-probe'
const probeWaits = '/run/probe-waits'

/** The probe asks `df`: this one waits for as long as it is told to. */
const holdableProbe = async (machine: Machine) => {
  const script = `#!/bin/sh
if [ -e ${probeHeld} ]; then
  : > ${probeWaits}
  while [ -e ${probeHeld} ]; do sleep 0.05; done
fi
exec /usr/libexec/df "$@"
`
  await machine.sh('mkdir -p /usr/libexec; mv /usr/bin/df /usr/libexec/df')
  await machine.writeFile('/usr/bin/df', script, 0o755)
}

export interface Row {
  readonly phase: FaultPhase
  /** Both machines can take the build, or b1 alone. */
  readonly among?: 'pair' | 'alone'
  /** Absent: what `before` did is the fault, and the phase only says where it shows. */
  readonly strike?: (b1: Machine, building: { readonly marker: string }) => Promise<unknown>
  /** Sets the scene, before anything is built. */
  readonly before?: (b1: Machine) => Promise<unknown>
  /** Puts everything as it was; called whatever happens. */
  readonly mend: (b1: Machine) => Promise<unknown>
  readonly build?: BuildOptions
  /** Seconds the builder is silent. */
  readonly silence?: number
  /** More for the builder to do, before its answer; phase build only. */
  readonly script?: string
}

export interface SeenRow {
  readonly outcome: Awaited<ReturnType<typeof buildDerivation>>
  readonly history: readonly Record<string, unknown>[]
  /** From the fault until the user was told that another machine takes over; undefined if that was not said. */
  readonly noticedMs: number | undefined
  readonly marker: string
  readonly phase: FaultPhase
}

interface Scene {
  readonly spec: DerivationSpec
  readonly reached: (log: string) => Promise<boolean>
}

/** The answer is known, whoever gives it. */
export const rightAnswer = 'the answer is 42'
const answer = 'echo the answer is $((6 * 7))'

const sceneOf = async ({ master }: Farm, b1: Machine, { phase, among = 'pair', silence = 2, script = ':' }: Row, marker: string): Promise<Scene> => {
  const common = { name: `row-${phase}`, features: [among] }
  const build = { ...common, script: `${marker}; sleep ${silence}; ${script}; ${answer} > $out` }
  switch (phase) {
    case 'connect':
      return { spec: build, reached: async () => true }
    case 'probe':
      return { spec: build, reached: async () => (await b1.sh(`ls ${probeWaits} 2> /dev/null || true`)) !== '' }
    case 'send': {
      await master.sh(`rm -rf /tmp/big; mkdir /tmp/big; head -c ${transferBytes} /dev/urandom > /tmp/big/data`)
      let before: number | undefined
      return {
        spec: { ...common, script: `${marker}; tail -c 1 $BIG/data > /dev/null; ${answer} > $out`, sources: { BIG: '/tmp/big' } },
        reached: async (log) => {
          if (!/sending \d+ store items \([6-9] MiB\) to 'b1'/.test(log)) return false
          const sent = Number(await master.sh('cat /sys/class/net/eth0/statistics/tx_bytes'))
          before ??= sent
          return sent - before > mebibyte / 2
        },
      }
    }
    case 'build':
      return { spec: build, reached: async () => (await buildersWith(marker)).length > 0 }
    case 'fetch':
      return {
        spec: { ...common, script: `${marker}; [ -e /nowhere ] || mkdir $out; head -c ${transferBytes} /dev/urandom > $out/data; ${answer} > $out/zz-answer` },
        reached: async (log) => log.includes("retrieving 1 store item from 'b1'")
          && Number(await master.sh('cat /gnu/store/guix-offload-*/data 2> /dev/null | wc -c')) > mebibyte / 2,
      }
  }
}

/** Builds on b1 up to the phase, has the fault strike, and waits for what becomes of it. */
export async function runRow(farm: Farm, row: Row): Promise<SeenRow> {
  const { phase, among = 'pair', strike, mend, build = {} } = row
  const [b1, b2] = [farm.builder('b1'), farm.builder('b2')]
  await farm.forgetFailures()
  const marker = uniqueMarker()
  const { spec, reached } = await sceneOf(farm, b1, row, marker)
  const slow = phase === 'send' || phase === 'fetch'
  const heldBack = phasesAfterChoice.includes(phase) && among === 'pair'
  let log = ''
  let toldAt: number | undefined
  try {
    await row.before?.(b1)
    if (slow) await b1.limitBandwidth(slowLink)
    if (heldBack) await b2.sshd.pause()
    if (phase === 'probe') await b1.sh(`rm -f ${probeWaits}; : > ${probeHeld}`)
    if (phase === 'connect') await strike?.(b1, { marker })
    const building = buildDerivation(farm.master, spec, {
      ...build,
      onLog(text) {
        log += text
        if (toldAt === undefined && log.includes("; trying 'b2'")) toldAt = performance.now()
      },
    })
    let over = false
    building.then(() => (over = true), () => (over = true))
    let struckAt = performance.now()
    if (heldBack) {
      await waitFor('b1 to be chosen', () => over || log.includes("normalized load on machine 'b1'"), 60_000)
      await b2.sshd.resume()
    }
    if (phase !== 'connect' && strike !== undefined) {
      await waitFor(`b1 to be in phase ${phase}`, async () => {
        if (over) throw new Error(`The build was over before b1 was in phase ${phase}`)
        return reached(log)
      }, 60_000)
      struckAt = performance.now()
      await strike(b1, { marker })
    }
    if (phase === 'probe') await b1.sh(`rm -f ${probeHeld}`)
    const outcome = await building
    const history = (await farm.history()).filter((entry) => entry['derivation'] === outcome.drv)
    return { outcome, history, noticedMs: toldAt === undefined ? undefined : Math.round(toldAt - struckAt), marker, phase }
  } catch (error) {
    throw new Error(`${String(error)}\n${log}`, { cause: error })
  } finally {
    await b2.sshd.resume()
    await mend(b1)
    if (slow) await b1.limitBandwidth(undefined)
    await b1.sh(`rm -f ${probeHeld}`)
  }
}

/** The build has its right output, made by that machine. */
export async function expectBuilt(farm: Farm, { outcome, history, phase }: SeenRow, machine: 'b1' | 'b2'): Promise<void> {
  const { failure, built, log, outputs } = outcome
  expect(failure, log).toBeUndefined()
  expect(built).toBe(true)
  const out = outputs['out'] ?? ''
  expect(await farm.master.readFile(phase === 'fetch' ? `${out}/zz-answer` : out)).toContain(rightAnswer)
  expect(history.at(-1), log).toMatchObject({ machine: `${machine}:22`, outcome: 'built' })
}

/** b2 did it; whoever watches was told so in one line if b1 had been chosen, and the build was announced once. */
export async function expectElsewhere(farm: Farm, seen: SeenRow, code: RegExp): Promise<void> {
  await expectBuilt(farm, seen, 'b2')
  const { outcome: { log }, history, phase } = seen
  if (phasesAfterChoice.includes(phase)) {
    expect(log.match(/^'b1' failed \(([a-z-]+)\); trying 'b2'$/gm), log).toHaveLength(1)
    expect(history, log).toMatchObject([{ machine: 'b1:22', outcome: 'machine-failed', error: { code: expect.stringMatching(code) as string } }, { machine: 'b2:22' }])
  } else {
    expect(log).not.toContain("; trying 'b2'")
    expect(history).toHaveLength(1)
  }
  expect(log.match(/^@ build-started /gm)).toHaveLength(1)
}

export interface LeftOptions {
  /** What its daemon leaves behind by itself, such as what a build had made when the disk was full, goes with its next collection. */
  readonly untidy?: boolean
}

/** Once all is mended: no process, lock, slot, temporary item or half-made output on either side. */
export async function expectNothingLeftOf(farm: Farm, { marker }: Pick<SeenRow, 'marker'>, { untidy = false }: LeftOptions = {}): Promise<void> {
  const { master } = farm
  const b1 = farm.builder('b1')
  await waitFor('the hook to be gone', async () => (await hookProcesses(master)).length === 0)
  await endControlMasters(master)
  // After a cut the two kernels may take a while until they talk again.
  await waitFor('the builder on b1 to be gone', async () => (await buildersWith(marker)).length === 0, 60_000)
  await waitFor('b1 to have nothing to do', async () => (await servants(b1)).length === 0, 60_000).catch(async (error: unknown) => {
    throw new Error(`${String(error)}: ${(await servants(b1)).join('; ')}`)
  })
  expect(await takenSlots(farm)).toEqual([])
  expect(await leftOnMaster(farm)).toEqual([])
  for (const machine of [master, b1]) expect(await heldStoreLocks(machine), machine.name).toEqual([])
  if (!untidy) expect(await strangersAfterInterruption(b1)).toEqual([])
}
