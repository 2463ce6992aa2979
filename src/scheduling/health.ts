/**
 * What is known of machines from other builds and other hook processes, and what follows for this one: a machine that has failed is left alone for a while, which doubles with every failure; then one process at
 * a time tries it again. Pure but for its ports.
 */
import { OffloadError } from '../errors/offload-error.js'
import { machineId } from '../machines/machine-id.js'
import type { BuildMachine, Probe } from '../plugin-api/index.js'
import type { Disabled, DisabledStore } from '../state/disabled-files.js'
import type { HealthStore, LastProbe, Slowness, Trouble } from '../state/health-files.js'
import type { Clock } from './clock.js'
import { clockTime, dateAndTime } from './clock-time.js'

const firstRestMs = 15_000
const longestRestMs = 600_000
/** A rest is shorter by up to this share, by chance: machines that failed together are not tried together. */
const jitter = 0.2
/** So long what a machine has said of its load and its disk is believed. */
export const probeFreshMs = 10_000

/**
 * `well`: nothing speaks against it; `due`: it was set aside, and one process may try it now; `resting`: not yet; `disabled`: a person does not want it used.
 */
export interface Outlook {
  readonly state: 'well' | 'due' | 'resting' | 'disabled'
  /** For people; where the state is another than `well`. */
  readonly reason?: string | undefined
  /** When it was last asked it did not answer as soon as others: nobody should wait for it. */
  readonly slow: boolean
  /** No older than {@link probeFreshMs}, as the machine said it. */
  readonly last?: LastProbe | undefined
}

export interface HealthFacts {
  readonly disabled?: Disabled | undefined
  readonly setAside?: Trouble | undefined
  /** However old. */
  readonly lastProbe?: Probe | undefined
  readonly outlook: Outlook
}

export interface HealthPorts {
  readonly files: HealthStore
  readonly disabled: DisabledStore
  readonly clock: Pick<Clock, 'now'>
  /** Uniform in [0, 1). */
  readonly random: () => number
}

export class Health {
  readonly #trials = new Map<string, { release(): void }>()
  /** What was known of machines on trial before they let us wait. */
  readonly #doubted = new Map<string, Trouble | undefined>()

  constructor(readonly ports: HealthPorts) {}

  /** Looks without taking anything. */
  outlook(machine: BuildMachine): Outlook {
    const facts = { last: this.#freshProbe(machine), slow: this.#slowness(machine) !== undefined }
    const disabled = this.disabled(machine)
    if (disabled !== undefined) return { ...facts, state: 'disabled', reason: disabledReason(disabled) }
    const trouble = this.trouble(machine)
    if (trouble === undefined || trouble.passed) return { ...facts, state: 'well' }
    const state = this.ports.clock.now() < trouble.until ? 'resting' : 'due'
    return { ...facts, state, reason: restReason(trouble) }
  }

  /** All that is remembered, for people. */
  facts(machine: BuildMachine): HealthFacts {
    const trouble = this.trouble(machine)
    return {
      disabled: this.disabled(machine),
      setAside: trouble?.passed === true ? undefined : trouble,
      lastProbe: this.ports.files.lastProbe(machine)?.probe,
      outlook: this.outlook(machine),
    }
  }

  /** It is as good as one that has never failed. */
  clear(machine: BuildMachine): void {
    this.ports.files.setTrouble(machine, undefined)
    this.ports.files.setSlowness(machine, undefined)
  }

  /** What speaks against the machine, if anything does. */
  trouble(machine: BuildMachine): Trouble | undefined {
    const { files, clock } = this.ports
    const trouble = files.trouble(machine)
    // Written by a clock that was ahead: it would rest for ever.
    return trouble === undefined || trouble.at > clock.now() + longestRestMs || trouble.until > clock.now() + longestRestMs ? undefined : trouble
  }

  /** Undefined also where the time is over for which it was said. */
  disabled(machine: BuildMachine): Disabled | undefined {
    const disabled = this.ports.disabled.recall(machine)
    return disabled?.until !== undefined && disabled.until <= this.ports.clock.now() ? undefined : disabled
  }

  /**
   * Takes the right to try a machine that is due. It lasts until the machine has shown whether it works, in the step in which it failed last, or is left.
   * @returns `taken` if another process has it, `failed` if it has made use of it since we looked, in vain
   */
  begin(machine: BuildMachine): 'begun' | 'taken' | 'failed' {
    const trial = this.ports.files.lockTrial(machine)
    if (trial === undefined) return 'taken'
    if (this.outlook(machine).state === 'resting') {
      trial.release()
      return 'failed'
    }
    this.#trials.set(machineId(machine), trial)
    return 'begun'
  }

  /** Gives up a trial, if there is one, without a result. */
  leave(machine: BuildMachine): void {
    const id = machineId(machine)
    this.#trials.get(id)?.release()
    this.#trials.delete(id)
    this.#doubted.delete(id)
  }

  probed(machine: BuildMachine, last: LastProbe): void {
    this.ports.files.setLastProbe(machine, last)
  }

  /**
   * Something went wrong with the machine: it is set aside, if it was its fault. An attempt that began before others had found it dead is no further failure: thirty builds that lose one
   * machine are one loss.
   * @param began when the attempt did
   */
  failed(machine: BuildMachine, stage: Trouble['stage'], error: unknown, began: number): void {
    const id = machineId(machine)
    const before = this.#doubted.has(id) ? this.#doubted.get(id) : this.trouble(machine)
    if (isFault(error, stage) && (before === undefined || began >= before.until)) {
      this.#setAside(machine, before, stage, error instanceof OffloadError ? error.code : 'internal', shortly(error))
    }
    this.leave(machine)
  }

  /** A machine on trial has not answered so far, and we may end before it does: it rests as if it had failed, unless the trial has another end. */
  doubted(machine: BuildMachine, waitedMs: number): void {
    const before = this.trouble(machine)
    this.#doubted.set(machineId(machine), before)
    this.#setAside(machine, before, 'reach', 'no-answer-yet', `no answer within ${waitedMs / 1000} s when it was tried again`)
  }

  #setAside(machine: BuildMachine, before: Trouble | undefined, stage: Trouble['stage'], code: string, reason: string): void {
    const at = this.ports.clock.now()
    const failures = (before?.failures ?? 0) + 1
    const until = at + restMs(failures, this.ports.random())
    // What failed in use has to be of use before it is past that, whatever else goes wrong with it.
    this.ports.files.setTrouble(machine, { failures, since: before?.since ?? at, at, until, stage: before?.stage === 'use' ? 'use' : stage, code, reason, passed: false })
  }

  /**
   * The machine has shown that it works: `reached`: it answered; `used`: it took what it was sent; `done`: it has built. Clears it of failures to do that. One that failed
   * while it worked for us is used again by all once it has taken what it was sent, and cleared once it has built: a machine that
   * never gets beyond a certain point rests longer and longer.
   */
  passed(machine: BuildMachine, stage: 'reached' | 'used' | 'done'): void {
    const trouble = this.trouble(machine)
    if (trouble !== undefined) {
      if (stage === 'done' || trouble.stage === 'reach') this.ports.files.setTrouble(machine, undefined)
      else if (stage === 'used' && !trouble.passed) this.ports.files.setTrouble(machine, { ...trouble, passed: true })
    }
    if (stage !== 'reached' || trouble?.stage !== 'use') this.leave(machine)
  }

  /**
   * It took longer to answer than a machine in order does. Was another one taken meanwhile, its own time-out never came: without this note every decision would give it a head start again. It stays in
   * the running, as it may only be far away or busy, but nobody waits for it for a while.
   */
  hesitated(machine: BuildMachine): void {
    const { files, clock, random } = this.ports
    if (this.#slowness(machine) !== undefined) return
    const times = (files.slowness(machine)?.times ?? 0) + 1
    files.setSlowness(machine, { times, until: clock.now() + restMs(times, random()) })
  }

  /** It answered as soon as a machine in order does. */
  answeredPromptly(machine: BuildMachine): void {
    if (this.ports.files.slowness(machine) !== undefined) this.ports.files.setSlowness(machine, undefined)
  }

  #slowness(machine: BuildMachine): Slowness | undefined {
    const slowness = this.ports.files.slowness(machine)
    const wait = slowness === undefined ? 0 : slowness.until - this.ports.clock.now()
    return wait > 0 && wait <= longestRestMs ? slowness : undefined
  }

  #freshProbe(machine: BuildMachine): LastProbe | undefined {
    const last = this.ports.files.lastProbe(machine)
    if (last === undefined) return undefined
    const age = this.ports.clock.now() - last.probe.at
    return age >= 0 && age < probeFreshMs ? last : undefined
  }
}

/** How long a machine is left alone after so many failures in a row. @param chance in [0, 1) */
export function restMs(failures: number, chance: number): number {
  // 2 ** 1024 is infinite, but so many failures are not impossible.
  const full = Math.min(longestRestMs, firstRestMs * 2 ** Math.min(failures - 1, 32))
  return Math.round(full * (1 - jitter * chance))
}

/**
 * The machine's load as it must be by now: what it said, and one more for each build of ours that has been started since. Builds that have ended since are not taken off: the load average does not forget them that
 * quickly either. For comparing machines; whether one is overloaded is for it to say, since its load average would not show those builds for a while.
 */
export function believedProbe({ probe, taken }: LastProbe, takenNow: number): Probe {
  const started = Math.max(0, takenNow - taken)
  if (started === 0) return probe
  const load = probe.load + started
  return { ...probe, load, normalizedLoad: Math.min(1, load / probe.cores) }
}

/**
 * Whether an error speaks against the machine. A build's own failure does not, nor a passing shortage; and what is wrong with the configuration for a machine is found out without it, in no time, and mended here: it
 * must be good again at once.
 */
function isFault(error: unknown, stage: Trouble['stage']): boolean {
  // Whatever a transport throws, this machine cannot be reached; in the middle of a build it is a mistake of ours.
  if (!(error instanceof OffloadError)) return stage === 'reach'
  return error.retry === 'other-machine' && (error.fault === 'machine' || error.fault === 'protocol' || error.fault === 'trust')
}

/** One line without machine and cure: what is said when it happens has both. */
function shortly(error: unknown): string {
  if (error instanceof OffloadError) return `${error.report.step}: ${error.report.problem}`
  return error instanceof Error ? error.message : String(error)
}

function restReason({ until, at, reason, failures }: Trouble): string {
  const times = failures === 1 ? '' : `, failure ${failures} in a row`
  return `set aside until ${clockTime(until)}: ${reason} at ${clockTime(at)}${times}`
}

function disabledReason({ since, until, by }: Disabled): string {
  const end = until === undefined ? 'until it is enabled' : `until ${dateAndTime(until)}`
  return `disabled ${end}: by ${by ?? 'somebody'} at ${dateAndTime(since)}`
}
