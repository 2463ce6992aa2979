/**
 * `STATE/offload/NAME:PORT/items`: the log of {@link BelievedItems}. Appended with one write each, so that hooks running side by side do not lose what others have learnt; written anew,
 * in short, when it has grown to twice what it may hold. It may be lost without harm: failing to read or write it is never an error.
 */
import { randomBytes } from 'node:crypto'
import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BuildMachine } from '../plugin-api/index.js'
import { BelievedItems, type Lesson, maximumItems } from './believed-items.js'

type Named = Pick<BuildMachine, 'name' | 'port'>
const lineLength = 10

export class ItemMemory {
  readonly #folder: string
  readonly #maximum: number

  constructor(stateDirectory: string, maximum = maximumItems) {
    this.#folder = join(stateDirectory, 'offload')
    this.#maximum = maximum
  }

  async believed(machine: Named): Promise<BelievedItems> {
    return new BelievedItems(await this.#read(machine), this.#maximum)
  }

  /** Derivations are left out: they weigh next to nothing, and there are as many of them as of all else. */
  async learn(machine: Named, { present, absent }: Lesson): Promise<void> {
    const text = await this.#read(machine)
    const items = new BelievedItems(text, this.#maximum)
    const news = items.learn({ present: present?.filter(isNoDerivation) ?? [], absent: absent?.filter(isNoDerivation) ?? [] })
    if (news === '') return
    const path = this.#path(machine)
    try {
      await mkdir(join(path, '..'), { recursive: true })
      if (text.length + news.length <= 2 * lineLength * this.#maximum) await appendFile(path, news)
      else await replace(path, items.text())
    } catch {
      // A full or read-only disk must not fail a build.
    }
  }

  async #read(machine: Named): Promise<string> {
    try {
      return await readFile(this.#path(machine), 'latin1')
    } catch {
      return ''
    }
  }

  #path({ name, port }: Named): string {
    return join(this.#folder, `${name}:${port}`, 'items')
  }
}

function isNoDerivation(path: string): boolean {
  return !path.endsWith('.drv')
}

async function replace(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(temporary, text)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
