/**
 * `STATE/offload/NAME:PORT/FILE.json`: small things remembered of one machine from one hook process to the next. Replaced atomically. All of it may be lost without harm: failing to
 * read or write is never an error.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
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
      return asRecord(await readFile(this.#path(machine), 'utf8'))
    } catch {
      return {}
    }
  }

  /** The same without waiting: one decision asks about every machine, and a file that is not there costs next to nothing this way. */
  recallNow(machine: Named): Readonly<Record<string, unknown>> {
    try {
      const path = this.#path(machine)
      return existsSync(path) ? asRecord(readFileSync(path, 'utf8')) : {}
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

  /** @throws the system's error: for what a person asked for */
  rememberNow(machine: Named, value: Readonly<Record<string, unknown>>): void {
    const path = this.#path(machine)
    const temporary = `${path}.${randomBytes(6).toString('hex')}`
    try {
      mkdirSync(join(path, '..'), { recursive: true })
      writeFileSync(temporary, `${JSON.stringify(value)}\n`)
      renameSync(temporary, path)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
  }

  /** @throws the system's error, but not if there is nothing to forget */
  forgetNow(machine: Named): void {
    rmSync(this.#path(machine), { force: true })
  }

  async forget(machine: Named): Promise<void> {
    await rm(this.#path(machine), { force: true }).catch(() => undefined)
  }

  #path({ name, port }: Named): string {
    return join(this.#folder, `${name}:${port}`, this.#file)
  }
}

function asRecord(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text)
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
