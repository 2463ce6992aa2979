import type { HistoryRecord } from '../../offload/read-history.js'
import { phaseNames, type VerdictRecord } from '../../state/history.js'
import type { Style } from './style.js'
import { tableLines } from './table.js'

const headings = ['TIME', 'DERIVATION', 'MACHINE', 'OUTCOME', ...phaseNames.map((phase) => phase.toUpperCase()), 'WHY']

/** @param verdicts add what was made of each machine */
export function historyLines(records: readonly HistoryRecord[], style: Style, verdicts: boolean): string[] {
  const lines = tableLines(headings, records.map((record) => row(record, style)), style)
  if (!verdicts) return lines
  const start = lines.length - records.length
  return lines.flatMap((line, index) => [line, ...(records[index - start]?.verdicts ?? []).map(verdictLine)])
}

/** As it is kept: times in seconds, sizes in bytes. */
export function historyJson(records: readonly HistoryRecord[]): unknown {
  return records
}

function row(record: HistoryRecord, { table }: Style): string[] {
  const { time, derivation, outcome } = record
  const seconds = phaseNames.map((phase) => (record.kind === 'offload' ? record.seconds[phase]?.toFixed(2) : undefined) ?? '-')
  return [
    table ? localTime(new Date(time)) : time,
    table ? derivation.replace(/^.*\/[0-9a-z]{32}-/, '').replace(/\.drv$/, '') : derivation,
    record.kind === 'offload' ? record.machine : '-',
    outcome,
    ...seconds,
    why(record),
  ]
}

function why(record: HistoryRecord): string {
  if (record.kind === 'offload') return record.error?.code ?? '-'
  const codes = record.verdicts.filter(({ code }) => code !== 'unsuited').map(({ machine, code }) => `${machine} ${code}`)
  return codes.length === 0 ? 'no machine suits' : codes.join(', ')
}

function verdictLine({ machine, code, reason }: VerdictRecord): string {
  return `  ${machine}: ${code}: ${reason}`
}

/** `2026-05-01 12:03:05`. */
function localTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`
}
