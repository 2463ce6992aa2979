/**
 * `STATE/offload/refusals.jsonl`: requests that no machine took, with the verdict on each machine. In a file of their own, for guix-daemon asks again every few seconds: they must not
 * push the offloads out of theirs. And of one derivation only what is new is written: not the same machines with the same kinds of verdict within ten minutes. Rotated beyond
 * {@link maximumBytes}.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { appendLine } from './append-line.js'
import { readLines, type VerdictRecord } from './history.js'

const maximumBytes = 2 * 1024 * 1024
const quietMilliseconds = 10 * 60_000
/** So much of the end of the file is looked at for what other processes have written: some hundred entries. */
const tailBytes = 256 * 1024

export interface RefusalEntry {
  /** ISO 8601. */
  readonly time: string
  readonly derivation: string
  readonly system: string
  readonly features: readonly string[]
  /** `no-other-machine`: after one had failed. */
  readonly outcome: 'declined' | 'postponed' | 'no-other-machine'
  readonly verdicts: readonly VerdictRecord[]
}

export interface Refusals {
  /** Never fails. */
  note(entry: RefusalEntry): void
}

export class RefusalFile implements Refusals {
  readonly #file: string
  /** Milliseconds since the epoch at which each was last written. */
  #written: Map<string, number> | undefined

  constructor(stateDirectory: string) {
    this.#file = join(stateDirectory, 'offload', 'refusals.jsonl')
  }

  note(entry: RefusalEntry): void {
    this.#written ??= new Map(tail(this.#file).map((old) => [keyOf(old), Date.parse(old.time)]))
    const now = Date.parse(entry.time)
    const key = keyOf(entry)
    const age = now - (this.#written.get(key) ?? -Infinity)
    if (age >= 0 && age < quietMilliseconds) return
    this.#written.set(key, now)
    appendLine(this.#file, JSON.stringify(entry), maximumBytes)
  }

  /** Oldest first, what was rotated included. */
  read(): RefusalEntry[] {
    return [...readLines<RefusalEntry>(`${this.#file}.1`), ...readLines<RefusalEntry>(this.#file)]
  }
}

/** The figures in a reason change all the time; what kind of reason it is does not. */
function keyOf({ derivation, outcome, verdicts }: RefusalEntry): string {
  return JSON.stringify([derivation, outcome, ...(Array.isArray(verdicts) ? verdicts : []).map(({ machine, code }) => `${machine} ${code}`).sort()])
}

function tail(file: string): RefusalEntry[] {
  let fd: number | undefined
  try {
    fd = openSync(file, 'r')
    const { size } = fstatSync(fd)
    const bytes = Buffer.alloc(Math.min(size, tailBytes))
    const length = readSync(fd, bytes, 0, bytes.length, size - bytes.length)
    return bytes.toString('utf8', 0, length).split('\n').flatMap((line) => parsed(line) ?? [])
  } catch {
    return []
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function parsed(line: string): RefusalEntry | undefined {
  try {
    const value = JSON.parse(line) as RefusalEntry
    return typeof value.derivation === 'string' && Array.isArray(value.verdicts) ? value : undefined
  } catch {
    return undefined
  }
}
