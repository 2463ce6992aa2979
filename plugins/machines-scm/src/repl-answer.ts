/** What `guix repl` wrote, as the records that the built-in evaluator would have made. */
import type { Location, SchemeDatum, SchemeRecord } from 'guix-offload/plugin-api'
import { offloadModule } from './build-machine.js'

export type Answer =
  | { readonly value: SchemeDatum; readonly failure?: undefined }
  | { readonly failure: { readonly problem: string; readonly location: Location | undefined } }

const isList = (datum: SchemeDatum | undefined): datum is readonly SchemeDatum[] => Array.isArray(datum)
const symbolOf = (datum: SchemeDatum | undefined): string => (typeof datum === 'object' && 'kind' in datum && datum.kind === 'symbol' ? datum.text : '')

function location(datum: SchemeDatum | undefined): Location | undefined {
  if (!isList(datum)) return undefined
  const [file, line, column] = datum
  return typeof file === 'string' && typeof line === 'bigint' && typeof column === 'bigint' ? { file, line: Number(line), column: Number(column) } : undefined
}

const same = (a: SchemeDatum, b: SchemeDatum | undefined): boolean => a === b || (isList(a) && isList(b) && a.length === b.length && a.every((item, at) => same(item, b[at])))

/** A value that is the field's default counts as not given; Guile does not tell. */
function record(fields: readonly SchemeDatum[], place: Location, home: string): SchemeRecord {
  const defaults = new Map(offloadModule(home).records?.[0]?.fields.map((field) => [field.name, field.default]))
  const values: Record<string, SchemeDatum> = {}
  const given: Record<string, Location> = {}
  for (const entry of fields) {
    if (!isList(entry)) continue
    const name = symbolOf(entry[0])
    const value = entry[1] ?? false
    values[name] = value
    if (!same(value, defaults.get(name))) given[name] = place
  }
  return { kind: 'record', type: 'build-machine', fields: values, location: place, given }
}

/** @returns undefined if it is not what our script writes */
export function answerOf(datum: SchemeDatum, file: string, home: string): Answer | undefined {
  if (!isList(datum)) return undefined
  const [tag, first, second] = datum
  switch (symbolOf(tag)) {
    case 'failed': return { failure: { problem: typeof first === 'string' ? first : 'it failed', location: location(second) } }
    case 'value': return { value: { kind: 'other', text: typeof first === 'string' ? first : '?' } }
    case 'machines': return {
      value: datum.slice(1).map((item) => {
        const [kind, content, where] = isList(item) ? item : []
        if (symbolOf(kind) === 'machine' && isList(content)) return record(content, location(where) ?? { file, line: 1, column: 0 }, home)
        return { kind: 'other', text: typeof content === 'string' ? content : '?' }
      }),
    }
    default: return undefined
  }
}
