/**
 * `STATE/offload/NAME:PORT/rung.json`: by which way the daemon of a machine was reached last, so that not every hook has to find it out anew. Good
 * for a day: a server may have learned to forward sockets since.
 */
import type { BuildMachine } from '../plugin-api/index.js'
import { MachineMemory } from './machine-memory.js'

/** The ways to a remote store, best first: the daemon's socket as a channel, the same through a command that copies, guix commands alone. */
export const rungs = ['socket', 'bridge', 'commands'] as const
export type Rung = (typeof rungs)[number]

/** What is remembered holds for one account, socket and transport. */
export type RungSubject = Pick<BuildMachine, 'name' | 'port' | 'user' | 'daemonSocket' | 'settings'>

export interface RungMemory {
  recall(machine: RungSubject): Promise<Rung | undefined>
  remember(machine: RungSubject, rung: Rung): Promise<void>
  forget(machine: RungSubject): Promise<void>
}

const goodForMs = 24 * 3600 * 1000

export class RungFiles implements RungMemory {
  readonly #memory: MachineMemory
  readonly #now: () => number

  /** @param now milliseconds since the epoch */
  constructor(stateDirectory: string, now: () => number = () => Date.now()) {
    this.#memory = new MachineMemory(stateDirectory, 'rung')
    this.#now = now
  }

  async recall(machine: RungSubject): Promise<Rung | undefined> {
    const { rung, found, way } = await this.#memory.recall(machine)
    const age = this.#now() - Date.parse(String(found))
    return age >= 0 && age < goodForMs && way === wayTo(machine) ? rungs.find((known) => known === rung) : undefined
  }

  remember(machine: RungSubject, rung: Rung): Promise<void> {
    return this.#memory.remember(machine, { rung, found: new Date(this.#now()).toISOString(), way: wayTo(machine) })
  }

  forget(machine: RungSubject): Promise<void> {
    return this.#memory.forget(machine)
  }
}

function wayTo({ user, daemonSocket, settings }: RungSubject): string {
  return [settings?.transport ?? '', user, daemonSocket].join(' ')
}
