import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ConfigurationError } from '../errors/offload-error.js'
import { isSafeMachineName, machineId } from '../machines/machine-id.js'
import type { BuildMachine } from '../plugin-api/index.js'
import { recordLock } from '../state/record-lock.js'
import { slotsInUse, type SlotInUse } from './slots-in-use.js'

/** The right to run one build on a machine. Dies with the process. */
export interface Slot {
  readonly machine: BuildMachine
  readonly index: number
  readonly file: string
  /** Safe to call twice. */
  release(): void
}

export interface SlotCount {
  readonly total: number
  readonly taken: readonly SlotInUse[]
  readonly free: number
}

/**
 * Build slots as files, `offload/NAME:PORT/0` … in Guix's state folder, one for each build the machine does at a time: who holds the lock on
 * the file holds the slot. Files, order and kind of lock are those of the `guix offload` that comes with Guix, so that both can be at
 * work at once. The files are never removed: a lock on a removed file would exclude nobody.
 */
export class Slots {
  readonly #folder: string

  /** @param stateDirectory `/var/guix` unless the environment says otherwise */
  constructor(stateDirectory: string) {
    this.#folder = join(stateDirectory, 'offload')
  }

  /**
   * Takes the first slot that is free; undefined if none is.
   * @throws ConfigurationError `slots-unusable`
   */
  take(machine: BuildMachine): Slot | undefined {
    const lock = recordLock()
    const files = this.files(machine)
    let file = join(this.#folder, machineId(machine))
    try {
      mkdirSync(file, { recursive: true })
      for (const [index, name] of files.entries()) {
        file = name
        // Node opens with O_CLOEXEC: a child process cannot keep the slot beyond our end.
        const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT, 0o666)
        let locked = false
        try {
          locked = lock.tryLock(fd)
        } finally {
          if (!locked) closeSync(fd)
        }
        if (locked) return heldSlot(machine, index, file, fd)
      }
      return undefined
    } catch (cause) {
      throw this.unusable(machine, file, (cause as Error).message, cause)
    }
  }

  /** Looks without taking anything. */
  count(machine: BuildMachine): SlotCount {
    const files = this.files(machine)
    const taken = slotsInUse(files)
    return { total: files.length, taken, free: files.length - taken.length }
  }

  /**
   * What would keep the hook from taking a slot, found out without taking one: the path that is not writable. Only for the user whom Guix's state folder
   * belongs to, since that is whom the hook runs as.
   */
  obstacle(machine: BuildMachine): string | undefined {
    if (statSync(dirname(this.#folder), { throwIfNoEntry: false })?.uid !== process.geteuid?.()) return undefined
    const files = this.files(machine)
    const there = files.filter((file) => existsSync(file))
    const folders = there.length === files.length ? [] : [nearestFolder(join(this.#folder, machineId(machine)))]
    return [...folders, ...there].find((path) => !isWritable(path))
  }

  /** @param path what could not be written or locked */
  unusable(machine: BuildMachine, path: string, problem: string, cause?: unknown): ConfigurationError {
    return new ConfigurationError({
      code: 'slots-unusable',
      step: 'taking a build slot',
      problem,
      machine: machineId(machine),
      subject: path,
      cure: `${this.#folder} and all in it must be writable for the user that guix-daemon runs as`,
      cause,
    })
  }

  files(machine: BuildMachine): string[] {
    if (!isSafeMachineName(machine.name)) {
      throw new ConfigurationError({
        code: 'machine-name-unsafe',
        step: 'finding the build slots',
        problem: `${JSON.stringify(machine.name)} is no host name`,
        expected: 'no slash, no blank, no leading -',
      })
    }
    return Array.from({ length: machine.parallelBuilds }, (_, index) => join(this.#folder, machineId(machine), String(index)))
  }
}

function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(dirname(path))
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function heldSlot(machine: BuildMachine, index: number, file: string, fd: number): Slot {
  let held = true
  return {
    machine,
    index,
    file,
    release() {
      if (held) closeSync(fd)
      held = false
    },
  }
}
