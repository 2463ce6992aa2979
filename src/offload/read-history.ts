import type { HistoryEntry } from '../state/history.js'
import type { RefusalEntry } from '../state/refusals.js'

/** What the hook has kept: offloads, and requests that no machine took. */
export type HistoryRecord = (HistoryEntry & { readonly kind: 'offload' }) | (RefusalEntry & { readonly kind: 'refusal' })

export interface HistoryQuestion {
  /** Only what did not end well. */
  readonly failed: boolean
  /** The latest so many; 0: all. */
  readonly count: number
  /** A derivation by its path or a part of its name, or a machine by its name or `NAME:PORT`. */
  readonly about?: string | undefined
}

/** Oldest first. */
export function selectHistory(offloads: readonly HistoryEntry[], refusals: readonly RefusalEntry[], { failed, count, about }: HistoryQuestion): HistoryRecord[] {
  const records: HistoryRecord[] = [
    ...offloads.map((entry) => ({ kind: 'offload' as const, ...entry })),
    ...refusals.map((entry) => ({ kind: 'refusal' as const, ...entry })),
  ]
  const chosen = records
    .filter(({ outcome }) => !failed || outcome !== 'built')
    .filter((record) => about === undefined || concerns(record, about))
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
  return count === 0 ? chosen : chosen.slice(-count)
}

/** A refusal concerns every machine that could have taken it. */
function concerns(record: HistoryRecord, about: string): boolean {
  if (record.derivation.includes(about)) return true
  const machines = record.kind === 'offload' ? [record.machine] : record.verdicts.filter(({ code }) => code !== 'unsuited').map(({ machine }) => machine)
  return machines.some((machine) => machine === about || machine.startsWith(`${about}:`))
}
