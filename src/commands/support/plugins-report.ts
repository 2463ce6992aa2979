import type { Contributions } from '../../plugin-host/contributions.js'
import type { InstalledEntry } from '../../plugin-host/plugin-index.js'
import type { Style } from './style.js'
import { tableLines } from './table.js'

export interface PluginReport extends InstalledEntry {
  readonly brings: readonly { readonly kind: string; readonly name: string }[]
  /** Why it is left out; null: it works. */
  readonly problem: string | null
}

export function pluginReports(entries: readonly InstalledEntry[], contributions: Contributions): PluginReport[] {
  return entries.map((entry) => ({ ...entry, brings: contributions.of(entry.name), problem: contributions.failureOf(entry.name) ?? null }))
}

export function pluginsLines(plugins: readonly PluginReport[], style: Style): string[] {
  const rows = plugins.map(({ brings, from, kind, name, problem, version }) => [
    name,
    version,
    problem === null ? brings.map((one) => `${one.kind} ${one.name}`).join(', ') || '-' : style.bad(`left out: ${problem}`),
    kind === 'link' ? `link to ${from}` : from,
  ])
  return tableLines(['PLUGIN', 'VERSION', 'BRINGS', 'FROM'], rows, style)
}
