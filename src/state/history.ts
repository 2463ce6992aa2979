/**
 * `STATE/offload/history.jsonl`: one JSON object per line and finished offload. Appended with one write each, so that hooks running side by side
 * do not mix lines; rotated to `history.jsonl.1` beyond {@link maximumBytes}. It may be lost without harm: failing to write it is never an error.
 */
import { appendFile, mkdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
/** The steps of one offload whose time is recorded, in the order in which they happen. */
export type Phase = 'select' | 'send' | 'build' | 'fetch'

const maximumBytes = 8 * 1024 * 1024

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
  readonly error?: { readonly code: string; readonly message: string } | undefined
}

export interface History {
  append(entry: HistoryEntry): Promise<void>
}

export class HistoryFile implements History {
  readonly #folder: string

  constructor(stateDirectory: string) {
    this.#folder = join(stateDirectory, 'offload')
  }

  async append(entry: HistoryEntry): Promise<void> {
    const file = join(this.#folder, 'history.jsonl')
    try {
      await mkdir(this.#folder, { recursive: true })
      const size = await stat(file).then(
        (stats) => stats.size,
        () => 0,
      )
      if (size > maximumBytes) await rename(file, `${file}.1`)
      await appendFile(file, `${JSON.stringify(entry)}\n`)
    } catch {
      // A full or read-only disk must not fail a build that has succeeded.
    }
  }
}
