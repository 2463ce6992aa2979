/**
 * `index.json` in the folder of installed plugins: which ones there are, and where. It alone says what is installed and is only ever replaced as a whole, so that
 * hooks which start meanwhile see the plugins of before or those of after. Each package has a folder of its own, with all it depends on; nothing is ever changed in there.
 */
import { isAbsolute, join } from 'node:path'
import { readTrustedFile } from '../config/trusted-file.js'
import { ConfigurationError } from '../errors/offload-error.js'

/** One folder for the whole system, whoever installs and whoever runs the hook: guix-daemon's user has no home folder to speak of. */
const usualHome = '/var/lib/guix-offload/plugins'
const step = 'looking for installed plugins'

export interface InstalledEntry {
  readonly name: string
  readonly version: string
  /** `link`: a folder that somebody else looks after. */
  readonly kind: 'package' | 'link'
  /** The package's own folder; of a `package` relative to the folder of installed plugins. */
  readonly folder: string
  /** What it was installed from, as it was asked for. */
  readonly from: string
}

/** `GUIX_OFFLOAD_PLUGINS` names another folder. It is checked like the usual one, so that whoever sets it cannot make root run what is not root's. */
export function pluginHome(variables: Readonly<Record<string, string | undefined>>): string {
  const named = variables.GUIX_OFFLOAD_PLUGINS ?? ''
  return isAbsolute(named) ? named : usualHome
}

export function indexFile(home: string): string {
  return join(home, 'index.json')
}

/**
 * @param path another file of that kind, with a change that is to be tried
 * @throws ConfigurationError `untrusted-file`, `unreadable-file`, `plugin-index-malformed`
 */
export async function readIndex(home: string, path = indexFile(home)): Promise<readonly InstalledEntry[]> {
  const file = await readTrustedFile(path, { step })
  return file === undefined ? [] : parse(file.content.toString('utf8'), path)
}

/** At once: whoever reads sees all of it, before or after. */
export async function replaceIndex(home: string, plugins: readonly InstalledEntry[]): Promise<void> {
  const { open, rename } = await import('node:fs/promises')
  const temporary = `${indexFile(home)}.${process.pid}`
  const file = await open(temporary, 'w', 0o644)
  try {
    await file.writeFile(printIndex(plugins))
    await file.chmod(0o644)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, indexFile(home))
}

export function printIndex(plugins: readonly InstalledEntry[]): string {
  return `${JSON.stringify({ schema: 1, plugins }, null, 2)}\n`
}

function parse(text: string, file: string): readonly InstalledEntry[] {
  const malformed = (problem: string, cause?: unknown) =>
    new ConfigurationError({ code: 'plugin-index-malformed', step, problem, subject: file, cure: 'Remove it and install the plugins anew', cause })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error), error)
  }
  const { schema, plugins } = (typeof value === 'object' && value !== null ? value : {}) as { schema?: unknown; plugins?: unknown }
  if (schema !== 1 || !Array.isArray(plugins) || !plugins.every(isEntry)) throw malformed('it is not what this version of guix-offload writes')
  return plugins
}

function isEntry(value: unknown): value is InstalledEntry {
  if (typeof value !== 'object' || value === null) return false
  const { name, version, kind, folder, from } = value as Record<string, unknown>
  return [name, version, folder, from].every((text) => typeof text === 'string' && text !== '') && (kind === 'package' || kind === 'link')
}
