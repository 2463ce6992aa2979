import type { Config } from '@oclif/core/config'
import type { Hooks, Plugin } from '@oclif/core/interfaces'
import type { Log, Registrar } from '../plugin-api/index.js'
import type { PluginFailure } from './contribution.js'
import { Contributions } from './contributions.js'
import { PackageRegistrar } from './package-registrar.js'
import { withoutStdout } from './without-stdout.js'

const event = 'offload:contribute'

interface ContributeHooks extends Hooks {
  [event]: { options: { registrar: Registrar }; return: void }
}

/** The part of oclif's configuration that is used here. */
export type HookRunner = Pick<Config, 'plugins' | 'runHook'>

/** A hook only names its factories: it is at fault if it takes longer, and guix-daemon waits meanwhile. Milliseconds. */
const patience = 2000

/**
 * Runs every plugin's `offload:contribute` hook, all at once. A plugin that fails or hangs costs one warning and its own contributions; whether that
 * matters is found out when one of them is asked for.
 */
export async function gatherContributions(config: HookRunner, log: Log, timeoutMs = patience): Promise<Contributions> {
  const plugins = [...config.plugins.values()].filter((plugin) => event in plugin.hooks).sort((a, b) => (a.name < b.name ? -1 : 1))
  const outcomes = await withoutStdout(() => Promise.all(plugins.map((plugin) => askPlugin(config, plugin, timeoutMs))))
  const failures: PluginFailure[] = []
  for (const { registrar, plugin, reason } of outcomes) {
    registrar.close()
    if (reason === undefined) continue
    failures.push({ package: plugin.name, reason })
    log.warn(`plugin ${plugin.name} is left out: ${reason}`)
  }
  return new Contributions(outcomes.flatMap(({ registrar, reason }) => (reason === undefined ? registrar.contributions : [])), failures)
}

/**
 * oclif runs a hook for all plugins of a configuration and passes the same arguments to each. So each gets a view of the configuration that has one plugin
 * only, and with it a registrar that knows its package.
 */
async function askPlugin(config: HookRunner, plugin: Plugin, timeoutMs: number) {
  const registrar = new PackageRegistrar(plugin.name)
  const view = Object.create(config, { plugins: { value: new Map([[plugin.name, plugin]]) } }) as HookRunner
  const asked = view.runHook<typeof event, ContributeHooks>(event, { registrar }, timeoutMs, true)
  const failure = await orExpiry(asked.then(({ failures }) => failures[0]?.error, (error: unknown) => error), timeoutMs)
  return { registrar, plugin, reason: failure === undefined ? undefined : firstLine(failure) }
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
