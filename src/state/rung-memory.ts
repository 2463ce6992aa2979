/**
 * `STATE/offload/NAME:PORT/rung.json`: by which way the daemon of a machine was reached last, so that not every hook has to find it out anew. Replaced atomically, and good
 * for a day: a server may have learned to forward sockets since. It may be lost without harm: failing to read or write it is never an error.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BuildMachine } from '../plugin-api/index.js'

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
  readonly #folder: string
  readonly #now: () => number

  /** @param now milliseconds since the epoch */
  constructor(stateDirectory: string, now: () => number = () => Date.now()) {
    this.#folder = join(stateDirectory, 'offload')
    this.#now = now
  }

  async recall(machine: RungSubject): Promise<Rung | undefined> {
    try {
      const { rung, found, way } = JSON.parse(await readFile(this.#file(machine), 'utf8')) as Record<string, unknown>
      const age = this.#now() - Date.parse(String(found))
      return age >= 0 && age < goodForMs && way === wayTo(machine) ? rungs.find((known) => known === rung) : undefined
    } catch {
      return undefined
    }
  }

  async remember(machine: RungSubject, rung: Rung): Promise<void> {
    const file = this.#file(machine)
    const temporary = `${file}.${randomBytes(6).toString('hex')}`
    try {
      await mkdir(join(file, '..'), { recursive: true })
      await writeFile(temporary, `${JSON.stringify({ rung, found: new Date(this.#now()).toISOString(), way: wayTo(machine) })}\n`)
      await rename(temporary, file)
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  }

  async forget(machine: RungSubject): Promise<void> {
    await rm(this.#file(machine), { force: true }).catch(() => undefined)
  }

  #file({ name, port }: RungSubject): string {
    return join(this.#folder, `${name}:${port}`, 'rung.json')
  }
}

function wayTo({ user, daemonSocket, settings }: RungSubject): string {
  return [settings?.transport ?? '', user, daemonSocket].join(' ')
}
