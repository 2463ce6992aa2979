import type { Style } from './style.js'

/** Rows of equal length as lines. */
export function tableLines(headings: readonly string[], rows: readonly (readonly string[])[], style: Style): string[] {
  if (!style.table) return rows.map((row) => row.join('\t'))
  if (rows.length === 0) return []
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) => row.map((field, column) => field.padEnd(widths[column] ?? 0)).join('  ').trimEnd()
  return [style.strong(line(headings)), ...rows.map(line)]
}
