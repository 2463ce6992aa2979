/**
 * `STATE/offload/NAME:PORT/FILE.json`: small things remembered of one machine from one hook process to the next. Replaced atomically. All of it may be lost without harm: failing to
 * read or write is never an error.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BuildMachine } from '../plugin-api/index.js'

type Named = Pick<BuildMachine, 'name' | 'port'>

export class MachineMemory {
  readonly #folder: string
  readonly #file: string

  /** @param file without `.json` */
  constructor(stateDirectory: string, file: string) {
    this.#folder = join(stateDirectory, 'offload')
    this.#file = `${file}.json`
  }

  /** As it was written, unchecked; an empty object if nothing is known. */
  async recall(machine: Named): Promise<Readonly<Record<string, unknown>>> {
    try {
      const value: unknown = JSON.parse(await readFile(this.#path(machine), 'utf8'))
      return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
    } catch {
      return {}
    }
  }

  async remember(machine: Named, value: Readonly<Record<string, unknown>>): Promise<void> {
    const path = this.#path(machine)
    const temporary = `${path}.${randomBytes(6).toString('hex')}`
    try {
      await mkdir(join(path, '..'), { recursive: true })
      await writeFile(temporary, `${JSON.stringify(value)}\n`)
      await rename(temporary, path)
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  }

  async forget(machine: Named): Promise<void> {
    await rm(this.#path(machine), { force: true }).catch(() => undefined)
  }

  #path({ name, port }: Named): string {
    return join(this.#folder, `${name}:${port}`, this.#file)
  }
}
