/**
 * `STATE/dns-sd.json`: what was heard, shared by hooks. It holds what strangers said and nothing about trust, which is judged anew each time. It is replaced atomically;
 * losing it costs a question, and failing to read or write it is never an error.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hostNameOf, isPort, shown, type Advert } from './advert.js'
import { isUsable } from './addresses.js'
import { limits, times } from './limits.js'
import { knownStrings } from './txt-record.js'

export interface Heard {
  readonly adverts: readonly Advert[]
  /** Of the question, in milliseconds since the epoch. */
  readonly askedAt: number
  /** False: the question was cut short, and more may be there. */
  readonly whole: boolean
}

export class Cache {
  readonly #file: string
  readonly #lock: string
  readonly #question: string

  /** @param question what was asked: an answer to another one is of no use */
  constructor(readonly folder: string, question: unknown) {
    this.#file = join(folder, 'dns-sd.json')
    this.#lock = join(folder, 'dns-sd.lock')
    this.#question = createHash('sha256').update(JSON.stringify(question)).digest('hex').slice(0, 16)
  }

  /** What is known and still good for something. @param now milliseconds since the epoch */
  async recall(now: number): Promise<Heard | undefined> {
    try {
      if ((await stat(this.#file)).size > limits.cacheBytes) return undefined
      const { question, askedAt, whole, adverts } = JSON.parse(await readFile(this.#file, 'utf8')) as Record<string, unknown>
      if (question !== this.#question || typeof askedAt !== 'number' || !Array.isArray(adverts)) return undefined
      // A clock that was set back must not make it good for ever.
      if (askedAt > now || now - askedAt > times.usable) return undefined
      return { askedAt, whole: whole === true, adverts: adverts.slice(0, limits.machines).flatMap((advert) => checked(advert) ?? []) }
    } catch {
      return undefined
    }
  }

  async remember(heard: Heard): Promise<void> {
    const temporary = `${this.#file}.${randomBytes(6).toString('hex')}`
    try {
      await mkdir(this.folder, { recursive: true })
      await writeFile(temporary, `${JSON.stringify({ question: this.#question, ...heard })}\n`, { mode: 0o644 })
      await rename(temporary, this.#file)
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  }

  /** For one process at a time; false: another one asks already. Where nothing can be written, everybody asks for himself. */
  async begin(now: number): Promise<boolean> {
    const take = async (): Promise<void> => (await open(this.#lock, 'wx')).close()
    try {
      await mkdir(this.folder, { recursive: true })
      await take()
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) return true
      const since = await stat(this.#lock).then(({ mtimeMs }) => now - mtimeMs, () => 0)
      if (Math.abs(since) < times.refreshing) return false
      // Whoever made it has been killed.
      await this.end()
      return take().then(() => true, () => false)
    }
    return true
  }

  async end(): Promise<void> {
    await rm(this.#lock, { force: true }).catch(() => undefined)
  }
}

function checked(value: unknown): Advert | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { instance, host, port, txt, addresses, via, heardAt, firstHeardAt } = value as Record<string, unknown>
  const isText = (item: unknown): item is string => typeof item === 'string'
  if (!isText(instance) || !isText(host) || hostNameOf(host) !== host || !isPort(port) || typeof heardAt !== 'number' || typeof firstHeardAt !== 'number') return undefined
  if (!Array.isArray(txt) || !txt.every(isText) || !Array.isArray(addresses) || !addresses.every(isText) || !addresses.every(isUsable)) return undefined
  return { instance: shown(instance), host, port, txt: knownStrings(txt), addresses, via: via === 'dns' ? 'dns' : 'mdns', heardAt, firstHeardAt }
}
