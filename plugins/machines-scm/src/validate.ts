/** From the records of a machine file to machines: types, ranges, and warnings with the place of the field. */
import type { BuildMachine, Location, SchemeDatum, SchemeRecord, Warning } from 'guix-offload/plugin-api'
import { checkHostKey } from './host-key.js'

export interface Validated {
  readonly machine: BuildMachine | undefined
  readonly warnings: readonly Warning[]
}

/** A value as the reader of a message would write it. */
export function written(datum: SchemeDatum): string {
  switch (typeof datum) {
    case 'string': return JSON.stringify(datum)
    case 'bigint': return datum.toString()
    case 'number': return Number.isInteger(datum) ? `${datum}.` : `${datum}`
    case 'boolean': return datum ? '#t' : '#f'
    default: {
      if (!('kind' in datum)) return `(${datum.map(written).join(' ')})`
      return datum.kind === 'record' ? `a ${datum.type}` : datum.text
    }
  }
}

const isList = (value: SchemeDatum): value is readonly SchemeDatum[] => Array.isArray(value)

/** Takes the fields of one record apart, collecting what is wrong. */
class Fields {
  readonly wrong: Warning[] = []
  readonly #record: SchemeRecord
  readonly #label: string
  constructor(record: SchemeRecord) {
    this.#record = record
    const { name } = record.fields
    this.#label = typeof name === 'string' && name !== '' ? `machine '${name}'` : 'a machine without a usable name'
  }

  value(field: string): SchemeDatum {
    return this.#record.fields[field] ?? false
  }

  given(field: string): boolean {
    return field in this.#record.given
  }

  place(field: string): Location {
    return this.#record.given[field] ?? this.#record.location
  }

  warning(code: string, text: string, location: Location, dropped: boolean): Warning {
    return dropped ? { code, message: `${this.#label} left out: ${text}`, location, dropped } : { code, message: `${this.#label}: ${text}`, location }
  }

  #refuse(field: string, expected: string): void {
    this.wrong.push(this.warning('machine-field-invalid', `${field} must be ${expected}, but is ${written(this.value(field))}`, this.place(field), true))
  }

  text(field: string, expected = 'a string that is not empty'): string {
    const value = this.value(field)
    if (typeof value === 'string' && value.trim() !== '' && !value.includes('\0')) return value
    this.#refuse(field, expected)
    return ''
  }

  texts(field: string): readonly string[] {
    const value = this.value(field)
    if (isList(value) && value.every((item): item is string => typeof item === 'string')) return value
    this.#refuse(field, 'a list of strings')
    return []
  }

  integer(field: string, least: number, most: number, expected: string): number {
    const value = this.value(field)
    if (typeof value === 'bigint' && value >= BigInt(least) && value <= BigInt(most)) return Number(value)
    this.#refuse(field, expected)
    return least
  }

  /** A real, exact or not. */
  real(field: string, accept: (value: number) => boolean, expected: string): number {
    const value = this.value(field)
    const number = typeof value === 'bigint' ? Number(value) : typeof value === 'number' ? value : typeof value === 'object' && 'number' in value ? value.number : undefined
    if (number !== undefined && Number.isFinite(number) && accept(number)) return number
    this.#refuse(field, expected)
    return 1
  }
}

/** `systems`, or the deprecated `system`, which stock takes when `systems` is #f. */
function systemsOf(fields: Fields, record: SchemeRecord, notes: Warning[]): readonly string[] {
  if (fields.value('systems') !== false) return fields.texts('systems')
  if (fields.value('system') === false) {
    fields.wrong.push(fields.warning('machine-field-missing', 'it has no systems', record.location, true))
    return []
  }
  notes.push({ code: 'deprecated-system', message: 'the \'system\' field is deprecated, please use \'systems\' instead', location: record.location })
  return [fields.text('system')]
}

function hostKeyOf(fields: Fields, notes: Warning[]): string {
  const line = fields.text('host-key', 'a string, the machine\'s public host key in OpenSSH\'s one-line form')
  if (line === '') return line
  const { problem } = checkHostKey(line)
  if (problem !== undefined) {
    notes.push(fields.warning('host-key-undecodable', `the host key does not decode: ${problem}; no connection will be possible until it does`, fields.place('host-key'), false))
  }
  return line.trim()
}

export function validate(record: SchemeRecord, source: string): Validated {
  const fields = new Fields(record)
  const notes: Warning[] = []
  const name = fields.text('name')
  const machine: BuildMachine = {
    name,
    port: fields.integer('port', 1, 65_535, 'an integer from 1 to 65535'),
    systems: systemsOf(fields, record, notes),
    user: fields.text('user'),
    privateKey: fields.given('private-key') ? fields.text('private-key') : undefined,
    hostKey: hostKeyOf(fields, notes),
    compression: fields.given('compression') ? fields.text('compression') : undefined,
    compressionLevel: fields.given('compression-level') ? fields.integer('compression-level', 0, 9, 'an integer from 0 to 9') : undefined,
    daemonSocket: fields.text('daemon-socket'),
    overloadThreshold: fields.value('overload-threshold') === false ? null : fields.real('overload-threshold', (value) => value >= 0, 'a real number or #f'),
    parallelBuilds: fields.integer('parallel-builds', 1, 100_000, 'a positive integer'),
    speed: fields.real('speed', (value) => value > 0, 'a positive real number'),
    features: fields.texts('features'),
    source,
    location: record.location,
  }
  return fields.wrong.length > 0 ? { machine: undefined, warnings: [...fields.wrong, ...notes] } : { machine, warnings: notes }
}
