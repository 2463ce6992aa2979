/** A control master that is there, and how one comes to be there. */
import { readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectContext, Log } from 'guix-offload/plugin-api'
import { ControlClient } from './control-client.js'
import { abortReason, type Failures } from 'guix-offload-ssh-common/failures.js'
import { hostKeyMismatch, knownHosts } from './host-key.js'
import { masterArguments, type MasterPaths, type MasterPlan } from './master-plan.js'
import { withLock } from './master-lock.js'
import { checkPrivateKeys } from './private-key.js'
import { sshEnvironment } from './ssh-program.js'
import { connectTimeout, startFailure } from './start-failure.js'
import type { Negotiated } from './start-log.js'
import { startMaster } from './start-master.js'

/** Known from when it was started, and kept in a file beside the socket for those who come later. */
export interface MasterFacts {
  readonly pid: number
  readonly roundTripMs: number
  readonly negotiated: Negotiated
}

export interface Master {
  readonly control: ControlClient
  readonly facts: MasterFacts
}

export interface MasterSetup {
  readonly failures: Failures
  readonly plan: MasterPlan
  readonly folder: string
  readonly paths: MasterPaths
  readonly program: string
  readonly log: Log
}

/** The master of this plan, started unless it is there. */
export async function master(setup: MasterSetup, context: ConnectContext): Promise<Master> {
  const { failures, paths } = setup
  const { connectMs, handshakeMs } = context.timeouts
  const ready = () => attach(paths)
  return await ready() ?? withLock(paths.lock, {
    ready,
    work: () => startAnew(setup, context),
    waitMs: connectMs + handshakeMs,
    late: () => connectTimeout(failures, connectMs + handshakeMs),
    signal: context.signal,
  })
}

/** @returns undefined if none is there, or nobody has finished starting it. */
async function attach(paths: MasterPaths): Promise<Master | undefined> {
  let control: ControlClient
  try {
    control = await ControlClient.connect(paths.socket)
  } catch {
    return undefined
  }
  try {
    const facts = JSON.parse(await readFile(paths.facts, 'utf8')) as MasterFacts
    if (facts.pid === control.pid) return { control, facts }
  } catch {
    // Not written yet.
  }
  control.destroy()
  return undefined
}

/** With the lock held. */
async function startAnew(setup: MasterSetup, context: ConnectContext): Promise<Master> {
  const { failures, plan, paths, program } = setup
  const keys = await checkPrivateKeys(failures, context.homeDirectory, plan.sshConfig === undefined)
  await clearAway(setup)
  const written = [paths.knownHosts, paths.jumpLog]
  try {
    await writeFile(paths.knownHosts, knownHosts(plan.pins), { mode: 0o600 })
    const words = masterArguments(plan, paths, keys.keys, program)
    const { timeouts, signal } = context
    const giveUp = performance.now() + timeouts.connectMs
    for (let pause = 100; ; pause *= 2) {
      const { log, failed } = await startMaster(failures, { program, words, env: sshEnvironment(context.homeDirectory), timeouts, signal })
      if (!failed) return await settle(setup, log)
      const jumpMessage = await readFile(paths.jumpLog, 'latin1').catch(() => '')
      const failure = startFailure({ failures, pins: plan.pins, log, keyProblems: keys.problems, jumpMessage: jumpMessage.trim(), connectMs: timeouts.connectMs })
      // Over its limits sshd turns a part of the newcomers away at random: some patience, and not all at the same moment.
      const wait = pause * (0.5 + Math.random())
      if (!failures.is(failure) || failure.code !== 'server-busy' || performance.now() + wait > giveUp) throw failure
      await sleep(wait, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) throw abortReason(signal)
      await rm(paths.jumpLog, { force: true })
    }
  } finally {
    await Promise.all(written.map((path) => rm(path, { force: true })))
  }
}

/** What a master that has died, or been killed before it was ready, has left. Other masters' files start otherwise. */
async function clearAway({ plan, folder, paths }: MasterSetup): Promise<void> {
  const control = await ControlClient.connect(paths.socket, 300).catch(() => undefined)
  await control?.terminate().catch(() => undefined)
  control?.destroy()
  const left = (await readdir(folder)).filter((name) => name.startsWith(plan.name) && !name.endsWith('.lock'))
  await Promise.all(left.map((name) => rm(`${folder}/${name}`, { force: true })))
}

async function settle({ failures, plan, paths }: MasterSetup, log: { readonly facts: Negotiated, readonly roundTripMs: number | undefined }): Promise<Master> {
  let control: ControlClient
  try {
    control = await ControlClient.connect(paths.socket)
  } catch (error) {
    throw failures.connectionLost('starting the control master', undefined, error)
  }
  const { hostKey } = log.facts
  // Whatever an ssh_config may say about further sources of trust.
  if (!plan.pins.some((pin) => hostKey === `${pin.type} ${pin.fingerprint}`)) {
    await control.terminate().catch(() => undefined)
    control.destroy()
    throw hostKeyMismatch(plan.pins, hostKey, failures)
  }
  const facts: MasterFacts = { pid: control.pid, roundTripMs: log.roundTripMs ?? 1, negotiated: log.facts }
  const temporary = `${paths.facts}.${process.pid}`
  await writeFile(temporary, JSON.stringify(facts), { mode: 0o600 })
  await rename(temporary, paths.facts)
  return { control, facts }
}
