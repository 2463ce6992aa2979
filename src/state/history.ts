/**
 * `STATE/offload/history.jsonl`: one JSON object per line and finished offload, rotated to `history.jsonl.1` beyond {@link maximumBytes}. It may be lost without harm:
 * failing to write it is never an error.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { appendLine } from './append-line.js'

/** The steps of one offload whose time is recorded, in the order in which they happen. */
export type Phase = 'select' | 'send' | 'build' | 'fetch'
export const phaseNames: readonly Phase[] = ['select', 'send', 'build', 'fetch']

const maximumBytes = 8 * 1024 * 1024

/** What became of one machine in a decision. */
export interface VerdictRecord {
  /** `NAME:PORT`. */
  readonly machine: string
  readonly code: string
  readonly reason: string
}

export interface HistoryEntry {
  /** End of the offload, ISO 8601. */
  readonly time: string
  readonly derivation: string
  readonly system: string
  /** `NAME:PORT` of the machine. */
  readonly machine: string
  readonly outcome: 'built' | 'build-failed' | 'machine-failed' | 'cancelled'
  /** What the hook's exit status would be had it ended here. */
  readonly status: number
  readonly seconds: Partial<Record<Phase, number>>
  /** NAR bytes and store items. */
  readonly sent: { readonly items: number; readonly bytes: number }
  readonly fetched: { readonly items: number; readonly bytes: number }
  /** Of all machines, when this one was chosen. */
  readonly verdicts?: readonly VerdictRecord[] | undefined
  readonly error?: { readonly code: string; readonly message: string } | undefined
}

export interface History {
  append(entry: HistoryEntry): Promise<void>
}

export class HistoryFile implements History {
  readonly #file: string

  constructor(stateDirectory: string) {
    this.#file = join(stateDirectory, 'offload', 'history.jsonl')
  }

  append(entry: HistoryEntry): Promise<void> {
    appendLine(this.#file, JSON.stringify(entry), maximumBytes)
    return Promise.resolve()
  }

  /** Oldest first, what was rotated included. */
  read(): HistoryEntry[] {
    return [...readLines<HistoryEntry>(`${this.#file}.1`), ...readLines<HistoryEntry>(this.#file)]
  }
}

/** The lines of such a file that are whole; none if there is no file or it is not ours to read. */
export function readLines<T extends { readonly time: string }>(file: string): T[] {
  return textOf(file).split('\n').flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line)
      return typeof value === 'object' && value !== null && 'time' in value && typeof value.time === 'string' ? [value as T] : []
    } catch {
      return []
    }
  })
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
