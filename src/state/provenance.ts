/**
 * `STATE/offload/provenance/HASH-NAME.json`: where a store item came from: the machine, and the signature that it was accepted for. One small file for each item that was
 * fetched, for as long as the item is in the store. It may be lost without harm: failing to write it is never an error.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

export interface ProvenanceEntry {
  /** Store path. */
  readonly path: string
  /** When it was put in place, ISO 8601. */
  readonly time: string
  /** `NAME:PORT`. */
  readonly machine: string
  readonly derivation: string
  readonly narBytes: number
  /** SHA-256 of the archive in hexadecimal: what guix-daemon records of the item. */
  readonly narHash: string
  /** The key that signed it, for people. */
  readonly key: string
  /** SHA-256 in hexadecimal of what is signed: the archive and what a bundle says about the item. */
  readonly signedHash: string
  /** The signature as it was sent. */
  readonly signature: string
}

/** Files of items that are gone are looked for this often. */
const pruneMilliseconds = 24 * 60 * 60_000
/** Its time says when that was done last. */
const pruneMark = '.pruned'

export class ProvenanceFiles {
  readonly #folder: string

  constructor(stateDirectory: string, readonly storeDirectory: string) {
    this.#folder = join(stateDirectory, 'offload', 'provenance')
  }

  /** Never fails. */
  keep(entries: readonly ProvenanceEntry[]): void {
    try {
      mkdirSync(this.#folder, { recursive: true })
      for (const entry of entries) this.#write(entry)
      this.#prune(Date.now())
    } catch {
      // A full or read-only disk must not fail a build that has succeeded.
    }
  }

  /** Undefined: nothing is known of it. */
  recall(path: string): ProvenanceEntry | undefined {
    try {
      const value = JSON.parse(readFileSync(this.#file(path), 'utf8')) as ProvenanceEntry
      return value.path === path && typeof value.machine === 'string' && typeof value.time === 'string' ? value : undefined
    } catch {
      return undefined
    }
  }

  #write(entry: ProvenanceEntry): void {
    const file = this.#file(entry.path)
    const temporary = join(this.#folder, `.${randomBytes(6).toString('hex')}`)
    try {
      writeFileSync(temporary, `${JSON.stringify(entry)}\n`, { flag: 'wx' })
      renameSync(temporary, file)
    } finally {
      rmSync(temporary, { force: true })
    }
  }

  /** Temporary files of killed processes go the same way: there is no item of such a name. */
  #prune(now: number): void {
    const mark = join(this.#folder, pruneMark)
    const last = statSync(mark, { throwIfNoEntry: false })
    if (last !== undefined && now - last.mtimeMs < pruneMilliseconds) return
    closeSync(openSync(mark, 'a'))
    utimesSync(mark, now / 1000, now / 1000)
    if (last === undefined) return
    for (const name of readdirSync(this.#folder)) {
      const item = join(this.storeDirectory, name.replace(/\.json$/, ''))
      if (name !== pruneMark && lstatSync(item, { throwIfNoEntry: false }) === undefined) rmSync(join(this.#folder, name), { force: true })
    }
  }

  #file(path: string): string {
    return join(this.#folder, `${basename(path)}.json`)
  }
}
