import type { Config } from '@oclif/core/config'
import type { Hooks, Plugin } from '@oclif/core/interfaces'
import { statSync } from 'node:fs'
import type { Log, Registrar } from '../plugin-api/index.js'
import { OffloadError } from '../errors/offload-error.js'
import type { PluginFailure } from './contribution.js'
import { Contributions } from './contributions.js'
import { PackageRegistrar } from './package-registrar.js'
import { indexFile, readIndex, type InstalledEntry } from './plugin-index.js'
import { withoutStdout } from './without-stdout.js'

const event = 'offload:contribute'

interface ContributeHooks extends Hooks {
  [event]: { options: { registrar: Registrar }; return: void }
}

/** The part of oclif's configuration that is used here. */
export type HookRunner = Pick<Config, 'plugins' | 'runHook'>

export interface GatherOptions {
  /** Folder of the plugins that were installed; undefined: those that the program brings are all there are. */
  readonly home?: string | undefined
  /** Instead of those that the folder's index has: a change that is to be tried. */
  readonly entries?: readonly InstalledEntry[] | undefined
  /** A hook only names its factories: it is at fault if it takes longer, and guix-daemon waits meanwhile. Milliseconds. */
  readonly timeoutMs?: number | undefined
}

interface Outcome {
  readonly registrar: PackageRegistrar
  readonly name: string
  readonly failure: unknown
}

/**
 * Runs every plugin's `offload:contribute` hook, all at once. A plugin that fails or hangs costs one warning and its own contributions; whether that
 * matters is found out when one of them is asked for.
 */
export async function gatherContributions(config: HookRunner, log: Log, { home, entries, timeoutMs = 2000 }: GatherOptions = {}): Promise<Contributions> {
  const bundled = [...config.plugins.values()].filter((plugin) => event in plugin.hooks).sort((a, b) => (a.name < b.name ? -1 : 1))
  const failures: PluginFailure[] = []
  const fail = (name: string, reason: string): void => {
    failures.push({ package: name, reason })
    log.warn(`plugin ${name} is left out: ${reason}`)
  }
  const installed = home === undefined ? [] : (entries ?? await installedIn(home, log))
  const outcomes = await withoutStdout(() => Promise.all([
    ...bundled.map((plugin) => askBundled(config, plugin, timeoutMs)),
    ...installed.map((entry) => askInstalled(home ?? '', entry, log, timeoutMs)),
  ]))
  for (const { registrar, name, failure } of outcomes) {
    registrar.close()
    if (failure !== undefined) fail(name, firstLine(failure))
  }
  return new Contributions(outcomes.flatMap(({ registrar, failure }) => (failure === undefined ? registrar.contributions : [])), failures)
}

/** An index that cannot be used costs the installed plugins, not the hook. */
async function installedIn(home: string, log: Log): Promise<readonly InstalledEntry[]> {
  try {
    // What most hooks find: no plugins.
    if (statSync(indexFile(home), { throwIfNoEntry: false }) === undefined) return []
  } catch {
    // We may not enter its folder: reading it will tell.
  }
  try {
    return await readIndex(home)
  } catch (error) {
    if (!(error instanceof OffloadError)) throw error
    log.warn(`installed plugins are not used: ${error.message}`)
    return []
  }
}

async function askInstalled(home: string, entry: InstalledEntry, log: Log, timeoutMs: number): Promise<Outcome> {
  const registrar = new PackageRegistrar(entry.name, true)
  const ask = async (): Promise<unknown> => {
    const [{ checkInstalled, importHooks }, { forgiveStrayErrors }] = await Promise.all([import('./installed-plugins.js'), import('./stray-errors.js')])
    const plugin = await checkInstalled(home, entry).catch(async (error: unknown) => {
      // Replaced since the index was read? Then the one that has taken its place will do.
      const missing = error instanceof OffloadError && error.code === 'plugin-missing'
      const successor = missing ? (await readIndex(home)).find(({ folder, name }) => name === entry.name && folder !== entry.folder) : undefined
      if (successor === undefined) throw error
      return checkInstalled(home, successor)
    })
    forgiveStrayErrors(plugin.name, plugin.tree, log)
    // The checking takes what the disk takes; the time of the plugin itself begins here.
    const asked = importHooks(plugin).then(async (hooks) => {
      for (const hook of hooks) await hook({ registrar })
    })
    return orExpiry(asked.then(() => undefined, failureOf), timeoutMs)
  }
  return { registrar, name: entry.name, failure: await ask().catch(failureOf) }
}

/**
 * oclif runs a hook for all plugins of a configuration and passes the same arguments to each. So each gets a view of the configuration that has one plugin
 * only, and with it a registrar that knows its package.
 */
async function askBundled(config: HookRunner, plugin: Plugin, timeoutMs: number): Promise<Outcome> {
  const registrar = new PackageRegistrar(plugin.name)
  const view = Object.create(config, { plugins: { value: new Map([[plugin.name, plugin]]) } }) as HookRunner
  const asked = view.runHook<typeof event, ContributeHooks>(event, { registrar }, timeoutMs, true)
  return { registrar, name: plugin.name, failure: await orExpiry(asked.then(({ failures }) => failures[0]?.error, failureOf), timeoutMs) }
}

/** A plugin may throw anything, even nothing. */
function failureOf(error: unknown): unknown {
  return error ?? new Error(`it threw ${String(error)}`)
}

/** oclif's own time-out starts when the module is loaded, and a module may hang as well; nor does it keep the process alive until it has fired. */
async function orExpiry(asked: Promise<unknown>, timeoutMs: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<Error>((resolve) => {
    timer = setTimeout(() => resolve(new Error(`its hook did not return within ${timeoutMs} ms`)), timeoutMs)
  })
  return Promise.race([asked, expired]).finally(() => clearTimeout(timer))
}

function firstLine(failure: unknown): string {
  const text = failure instanceof Error ? failure.message : String(failure)
  return text.split('\n', 1)[0] ?? text
}
