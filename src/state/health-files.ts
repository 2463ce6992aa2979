/**
 * What hooks tell each other of a machine, in its folder `STATE/offload/NAME:PORT/`: `health.json`, why it is set aside; `slow.json`, that it was slow to answer; `probe.json`, how it was when it was last asked; `trial`, an
 * empty file whose lock is the right to try again a machine that was set aside. Files of facts of their own: a probe that is written down can then never
 * undo the news of a failure. What is not as it should be, or about a machine described otherwise, counts as nothing known.
 */
import { closeSync, constants, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { machineFolder } from './machine-folder.js'
import type { Probe } from '../plugin-api/index.js'
import { fingerprint, type Described } from './fingerprint.js'
import { MachineMemory } from './machine-memory.js'
import { recordLock } from './record-lock.js'

/** Times in milliseconds since the epoch. */
export interface Trouble {
  /** In a row. */
  readonly failures: number
  /** The first of them. */
  readonly since: number
  /** The last of them. */
  readonly at: number
  /** Nobody tries it before. */
  readonly until: number
  /** `reach`: it could not be connected to or asked; `use`: it failed while it worked for us. */
  readonly stage: 'reach' | 'use'
  /** Of the last error. */
  readonly code: string
  /** `connecting: no answer within 10 s`. */
  readonly reason: string
  /** Has been seen to work since: it may be used, but is not past all doubt. */
  readonly passed: boolean
}

/** It has not answered as soon as a machine in order does, and another one was taken. Times in milliseconds since the epoch. */
export interface Slowness {
  /** In a row. */
  readonly times: number
  /** Nobody waits for it before. */
  readonly until: number
}

export interface LastProbe {
  readonly probe: Probe
  /** Build slots that were taken then, by this host's bookkeeping. */
  readonly taken: number
}

export interface HealthStore {
  trouble(machine: Described): Trouble | undefined
  setTrouble(machine: Described, trouble: Trouble | undefined): void
  slowness(machine: Described): Slowness | undefined
  setSlowness(machine: Described, slowness: Slowness | undefined): void
  lastProbe(machine: Described): LastProbe | undefined
  setLastProbe(machine: Described, last: LastProbe): void
  /** The right to try the machine, until it is released or the process ends; undefined if somebody has it. */
  lockTrial(machine: Described): { release(): void } | undefined
}

const longestReason = 500

export class HealthFiles implements HealthStore {
  readonly #stateDirectory: string
  readonly #health: MachineMemory
  readonly #slow: MachineMemory
  readonly #probe: MachineMemory

  constructor(stateDirectory: string) {
    this.#stateDirectory = stateDirectory
    this.#health = new MachineMemory(stateDirectory, 'health')
    this.#slow = new MachineMemory(stateDirectory, 'slow')
    this.#probe = new MachineMemory(stateDirectory, 'probe')
  }

  trouble(machine: Described): Trouble | undefined {
    const { failures, since, at, until, stage, code, reason, passed, way } = this.#health.recallNow(machine)
    if (way === undefined || way !== fingerprint(machine)) return undefined
    if (!isCount(failures) || failures < 1 || !isTime(since) || !isTime(at) || !isTime(until)) return undefined
    if ((stage !== 'reach' && stage !== 'use') || typeof code !== 'string' || typeof reason !== 'string' || typeof passed !== 'boolean') return undefined
    return { failures, since, at, until, stage, code, reason: reason.slice(0, longestReason), passed }
  }

  setTrouble(machine: Described, trouble: Trouble | undefined): void {
    quietly(() => {
      if (trouble === undefined) this.#health.forgetNow(machine)
      else this.#health.rememberNow(machine, { ...trouble, reason: trouble.reason.slice(0, longestReason), way: fingerprint(machine) })
    })
  }

  slowness(machine: Described): Slowness | undefined {
    const { times, until, way } = this.#slow.recallNow(machine)
    if (way === undefined || way !== fingerprint(machine)) return undefined
    return isCount(times) && times >= 1 && isTime(until) ? { times, until } : undefined
  }

  setSlowness(machine: Described, slowness: Slowness | undefined): void {
    quietly(() => {
      if (slowness === undefined) this.#slow.forgetNow(machine)
      else this.#slow.rememberNow(machine, { ...slowness, way: fingerprint(machine) })
    })
  }

  lastProbe(machine: Described): LastProbe | undefined {
    const { at, load, cores, normalizedLoad, freeBytes, pressure, architecture, taken, way } = this.#probe.recallNow(machine)
    if (way === undefined || way !== fingerprint(machine)) return undefined
    if (!isTime(at) || !isAmount(load) || !isCount(cores) || cores < 1 || !isAmount(normalizedLoad) || !isAmount(freeBytes) || !isCount(taken)) return undefined
    if (pressure !== undefined && !isAmount(pressure)) return undefined
    if (architecture !== undefined && typeof architecture !== 'string') return undefined
    return { probe: { at, load, cores, normalizedLoad, freeBytes, ...(pressure === undefined ? {} : { pressure }), ...(architecture === undefined ? {} : { architecture }) }, taken }
  }

  setLastProbe(machine: Described, { probe, taken }: LastProbe): void {
    quietly(() => this.#probe.rememberNow(machine, { ...probe, taken, way: fingerprint(machine) }))
  }

  lockTrial(machine: Described): { release(): void } | undefined {
    const folder = machineFolder(this.#stateDirectory, machine)
    let fd: number
    try {
      mkdirSync(folder, { recursive: true })
      fd = openSync(join(folder, 'trial'), constants.O_WRONLY | constants.O_CREAT, 0o666)
    } catch {
      // Where nothing can be written there is nobody to agree with.
      return { release: () => undefined }
    }
    let held = false
    try {
      held = recordLock().tryLock(fd)
    } finally {
      if (!held) closeSync(fd)
    }
    if (!held) return undefined
    return {
      release() {
        if (held) closeSync(fd)
        held = false
      },
    }
  }
}

function quietly(write: () => void): void {
  try {
    write()
  } catch {
    // It may all be lost without harm.
  }
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function isCount(value: unknown): value is number {
  return isAmount(value) && Number.isSafeInteger(value)
}

/** What `Date` can hold. */
function isTime(value: unknown): value is number {
  return isAmount(value) && value <= 8.64e15
}
