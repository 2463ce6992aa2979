/** The effective configuration, value by value, each with its origin: what `config` prints. Neither on the hook's way nor loaded there. */
import { defaultConfiguration as defaults } from './configuration.js'
import type { Environment } from './environment.js'
import { readConfiguration, type ConfigurationSource } from './load-configuration.js'
import { locator, type Position } from './locate.js'
import { overriding, overrides, type Overridable } from './overrides.js'
import { printDuration, printSize } from './units.js'

/** The place is missing where the file is a program. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'file'; readonly file: string; readonly position?: Position | undefined }

export interface DescribedValue {
  readonly path: readonly string[]
  /** Times in seconds, sizes in bytes. */
  readonly value: unknown
  /** As it was given, or as one would give it. */
  readonly text: string
  readonly origin: Origin
}

export interface ConfigurationDescription {
  readonly file: string | undefined
  readonly values: readonly DescribedValue[]
  /** Names and globs under `machines`. */
  readonly patterns: readonly { readonly pattern: string; readonly origin: Origin }[]
  /** Names under `plugins`. */
  readonly sections: readonly { readonly name: string; readonly origin: Origin }[]
}

interface Known {
  readonly path: readonly string[]
  readonly usual: unknown
  /** From the value in use to that of `--json`. */
  readonly json?: (value: number) => number
  readonly print?: (value: number) => string
}

const { timeouts } = defaults
const time = (key: string, ms: number): Known => ({ path: ['timeouts', key], usual: ms, json: (value) => value / 1000, print: printDuration })
const known: readonly Known[] = [
  { path: ['transport'], usual: defaults.transport },
  { path: ['scheduler'], usual: defaults.scheduler },
  { path: ['sources'], usual: defaults.sources },
  { path: ['onUnreachable'], usual: defaults.onUnreachable },
  { path: ['offloadOnward'], usual: defaults.offloadOnward },
  { path: ['minimumFreeSpace'], usual: defaults.minimumFreeSpaceBytes, print: printSize },
  time('connect', timeouts.connectMs),
  time('handshake', timeouts.handshakeMs),
  time('keepAlive', timeouts.keepAliveMs),
  { path: ['timeouts', 'keepAliveMisses'], usual: timeouts.keepAliveMisses },
  time('stall', timeouts.stallMs),
]

/** Shown in place of what may be a secret: of a plugin's options nothing is known, so only what cannot be one is shown. */
export const hidden = '(not shown)'

/** @throws as {@link readConfiguration} */
export async function describeConfiguration(environment: Environment): Promise<ConfigurationDescription> {
  const source = await readConfiguration(environment)
  const originOf = origins(source)
  const set = overriding(environment.variables)
  const values = known.map(({ path, usual, json, print }): DescribedValue => {
    const override = set[path[0] as Overridable]
    if (override !== undefined) return { path, value: override, text: override, origin: { kind: 'environment', variable: overrides[path[0] as Overridable] } }
    const given = at(source?.file, path)
    const value = given ?? usual
    const asJson = typeof value === 'number' && json !== undefined ? json(value) : value
    if (given === undefined) return { path, value: asJson, text: typeof value === 'number' && print !== undefined ? print(value) : plain(value), origin: { kind: 'default' } }
    return { path, value: asJson, text: plain(at(source?.raw, path)), origin: originOf(path) }
  })
  const patterns = Object.keys(source?.file.machines ?? {})
  const sections = Object.keys(source?.file.plugins ?? {})
  return {
    file: source?.name,
    values: [
      ...values,
      ...patterns.flatMap((pattern) => below(source?.file.machines, ['machines', pattern], originOf, (value) => value)),
      ...sections.flatMap((name) => below(source?.file.plugins, ['plugins', name], originOf, shown)),
    ],
    patterns: patterns.map((pattern) => ({ pattern, origin: originOf(['machines', pattern]) })),
    sections: sections.map((name) => ({ name, origin: originOf(['plugins', name]) })),
  }
}

function origins(source: ConfigurationSource | undefined): (path: readonly string[]) => Origin {
  if (source === undefined) return () => ({ kind: 'default' })
  const locate = source.text === undefined ? undefined : locator(source.text)
  return (path) => ({ kind: 'file', file: source.name, position: locate?.(path) })
}

/** Undefined for what is left empty, too. */
function at(value: unknown, path: readonly string[]): unknown {
  for (const key of path) value = typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
  return value ?? undefined
}

function below(all: unknown, [group = '', name = '']: readonly string[], originOf: (path: readonly string[]) => Origin, show: (value: unknown) => unknown): DescribedValue[] {
  const entry = at(all, [name])
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return entry === undefined ? [] : [described([group, name], show(entry))]
  return Object.entries(entry).filter(([, value]) => value !== null && value !== undefined).map(([key, value]) => described([group, name, key], show(value)))

  function described(path: readonly string[], value: unknown): DescribedValue {
    return { path, value, text: plain(value), origin: originOf(path) }
  }
}

function shown(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'boolean') return value
  return typeof value === 'string' && /^\/[\w./+-]*$/.test(value) ? value : hidden
}

function plain(value: unknown): string {
  if (Array.isArray(value)) return value.map(plain).join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
