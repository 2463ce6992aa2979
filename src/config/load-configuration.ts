import { extname, join } from 'node:path'
import { ConfigurationError } from '../errors/offload-error.js'
import type { MachineSettings } from '../plugin-api/index.js'
import { defaultConfiguration, defaultTimeouts } from './configuration.js'
import type { Configuration, Timeouts } from './configuration.js'
import type { Environment } from './environment.js'
import { settingsByName } from './machine-settings.js'
import { withOverrides } from './overrides.js'
import type { ConfigurationFile, MachineEntry, Mistake } from './schema.js'
import { readTrustedFile } from './trusted-file.js'

/**
 * Finds, checks and reads the configuration file: `$GUIX_OFFLOAD_CONFIG`, else the first `offload.yaml`, `.yml`, `.json` or `.js` in Guix's
 * configuration folder, else the defaults. The hook starts for every build, so what only a file needs is loaded only when there is one.
 *
 * Of cosmiconfig the loaders are used, not the search: `cosmiconfig()` itself looks for a configuration of its own below the current folder, and runs
 * `.config/config.js` there, whoever wrote it.
 */
const step = 'reading the configuration'
const extensions = ['.yaml', '.yml', '.json', '.js'] as const
type Extension = (typeof extensions)[number]

/** A configuration file that is in order. */
export interface ConfigurationSource {
  /** As it was looked for; the name people know. */
  readonly name: string
  /** Undefined if it is a program: its values have no place there. */
  readonly text: string | undefined
  /** The values as they were written. */
  readonly raw: unknown
  readonly file: ConfigurationFile
}

/** @throws as {@link readConfiguration}, and ConfigurationError `environment-invalid` */
export async function loadConfiguration(environment: Environment): Promise<Configuration> {
  const source = await readConfiguration(environment)
  return withOverrides(source === undefined ? defaultConfiguration : await fromFile(source.file, source.name), environment.variables)
}

/**
 * Undefined: there is no file.
 * @throws ConfigurationError `configuration-missing`, `configuration-malformed`, `configuration-invalid`, `untrusted-file`, `unreadable-file`
 */
export async function readConfiguration(environment: Environment): Promise<ConfigurationSource | undefined> {
  const file = await findFile(environment)
  if (file === undefined) return undefined
  const { checkConfiguration } = await import('./schema.js')
  const raw = (await parse(file)) ?? {}
  const result = checkConfiguration(raw)
  const text = extname(file.name) === '.js' ? undefined : file.content.toString('utf8')
  if ('mistakes' in result) throw await invalid(file.name, text, result.mistakes)
  return { name: file.name, text, raw, file: result.value }
}

interface Found {
  /** As it was looked for; the name people know. */
  readonly name: string
  /** Without links. */
  readonly path: string
  readonly content: Buffer
}

async function findFile({ configurationFile, configurationDirectory }: Environment): Promise<Found | undefined> {
  const candidates = configurationFile === undefined ? extensions.map((extension) => join(configurationDirectory, `offload${extension}`)) : [configurationFile]
  for (const name of candidates) {
    const file = await readTrustedFile(name, { step })
    if (file !== undefined) return { name, ...file }
  }
  if (configurationFile === undefined) return undefined
  throw new ConfigurationError({
    code: 'configuration-missing', step, problem: 'there is no such file', subject: configurationFile, cure: 'Correct or unset GUIX_OFFLOAD_CONFIG',
  })
}

async function parse({ name, path, content }: Found): Promise<unknown> {
  const extension = extensions.find((known): known is Extension => known === extname(name))
  if (extension === undefined) {
    throw new ConfigurationError({ code: 'configuration-malformed', step, problem: 'unknown kind of file', expected: extensions.join(', '), seen: extname(name), subject: name })
  }
  const text = content.toString('utf8')
  if (isEmptyYaml(extension, text)) return undefined
  const { defaultLoaders } = await import('cosmiconfig')
  try {
    return await defaultLoaders[extension](path, text) as unknown
  } catch (error) {
    throw malformed(name, error)
  }
}

/** A file with every line commented out is a fine configuration; js-yaml calls it an error. */
function isEmptyYaml(extension: Extension, text: string): boolean {
  return (extension === '.yaml' || extension === '.yml') && text.split('\n').every((line) => /^\s*(?:#|$)/.test(line))
}

/** js-yaml says where (`mark`, from 0) and what (`reason`); the others only have a message, of which the last line says most. */
function malformed(name: string, error: unknown): ConfigurationError {
  const details = (typeof error === 'object' && error !== null ? error : {}) as { mark?: { line?: unknown; column?: unknown }; reason?: unknown; message?: unknown }
  const { line, column } = details.mark ?? {}
  const position = typeof line === 'number' && typeof column === 'number' ? `:${line + 1}:${column + 1}` : ''
  const text = typeof details.reason === 'string' ? details.reason : String(details.message ?? error).trim().split('\n').at(-1)
  return new ConfigurationError({ code: 'configuration-malformed', step, problem: text ?? 'it cannot be read', subject: `${name}${position}`, cause: error })
}

async function invalid(name: string, text: string | undefined, mistakes: readonly Mistake[]): Promise<ConfigurationError> {
  const locate = text === undefined ? undefined : (await import('./locate.js')).locator(text)
  const placed = mistakes.map((mistake) => {
    const position = locate?.(mistake.path)
    return { ...mistake, place: position === undefined ? '' : `:${position.line}:${position.column}`, key: mistake.path.join('.') }
  })
  const [first, ...others] = placed
  const also = others.length === 0 ? undefined : `Also wrong: ${others.map(({ key, place }) => (place === '' ? key : `${key} (${place.slice(1)})`)).join(', ')}`
  return new ConfigurationError({
    code: 'configuration-invalid', step, problem: first?.problem ?? 'wrong value', expected: first?.expected, seen: first?.seen,
    subject: first === undefined || first.key === '' ? name : `${name}${first.place}: ${first.key}`, cure: also,
  })
}

async function fromFile(file: ConfigurationFile, name: string): Promise<Configuration> {
  const { machines, minimumFreeSpace, plugins, timeouts, ...rest } = file
  const entries = Object.entries(machines ?? {}).map(([pattern, settings]) => [pattern, machineSettings(settings)] as const)
  return {
    ...defaultConfiguration,
    ...withoutNull(rest),
    minimumFreeSpaceBytes: minimumFreeSpace ?? defaultConfiguration.minimumFreeSpaceBytes,
    timeouts: timeoutsOf(timeouts),
    machineSettings: await settingsByName(entries),
    plugins: plugins ?? {},
    origin: { file: name },
  }
}

function timeoutsOf(file: ConfigurationFile['timeouts']): Timeouts {
  return {
    connectMs: file?.connect ?? defaultTimeouts.connectMs,
    handshakeMs: file?.handshake ?? defaultTimeouts.handshakeMs,
    keepAliveMs: file?.keepAlive ?? defaultTimeouts.keepAliveMs,
    keepAliveMisses: file?.keepAliveMisses ?? defaultTimeouts.keepAliveMisses,
    stallMs: file?.stall ?? defaultTimeouts.stallMs,
  }
}

function machineSettings(entry: MachineEntry | null | undefined): MachineSettings {
  return withoutNull(entry ?? {})
}

/** A key written without value means what a missing one means. */
function withoutNull<T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null && member !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> }
}
