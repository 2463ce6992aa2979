/** `STATE/offload/NAME:PORT/disabled.json`: a person does not want builds on that machine for now. Unlike health it is nobody's but that person's to change. */
import { ConfigurationError } from '../errors/offload-error.js'
import type { BuildMachine } from '../plugin-api/index.js'
import { machineFolder } from './machine-folder.js'
import { MachineMemory } from './machine-memory.js'

/** Whatever else is said about it. */
export type Named = Pick<BuildMachine, 'name' | 'port'>

/** Times in milliseconds since the epoch. */
export interface Disabled {
  readonly since: number
  /** Undefined: until it is enabled again. */
  readonly until?: number | undefined
  /** The user name of who said so. */
  readonly by?: string | undefined
}

export interface DisabledStore {
  /** As it was said, also where its time is over. */
  recall(machine: Named): Disabled | undefined
}

const furthest = 8.64e15

export class DisabledFiles implements DisabledStore {
  readonly #stateDirectory: string
  readonly #memory: MachineMemory

  constructor(stateDirectory: string) {
    this.#stateDirectory = stateDirectory
    this.#memory = new MachineMemory(stateDirectory, 'disabled')
  }

  recall(machine: Named): Disabled | undefined {
    const { since, until, by } = this.#memory.recallNow(machine)
    if (!isTime(since) || (until !== undefined && !isTime(until))) return undefined
    return { since, until, by: typeof by === 'string' ? by.slice(0, 100) : undefined }
  }

  /** @throws ConfigurationError `state-unwritable` */
  disable(machine: Named, disabled: Disabled): void {
    this.#orSay(machine, () => this.#memory.rememberNow(machine, { ...disabled }))
  }

  /** @throws ConfigurationError `state-unwritable` */
  enable(machine: Named): void {
    this.#orSay(machine, () => this.#memory.forgetNow(machine))
  }

  #orSay(machine: Named, write: () => void): void {
    try {
      write()
    } catch (cause) {
      const folder = machineFolder(this.#stateDirectory, machine)
      throw new ConfigurationError({
        code: 'state-unwritable',
        step: 'writing down what is to become of the machine',
        problem: (cause as Error).message,
        machine: `${machine.name}:${machine.port}`,
        subject: folder,
        cure: 'Run this as root, or as the user that guix-daemon runs as',
        cause,
      })
    }
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= furthest
}
