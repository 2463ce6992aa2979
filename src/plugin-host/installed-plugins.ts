/**
 * Loads the hooks of installed plugins. oclif is not asked to: it would run the commands and every hook of theirs at each start, unguarded. What is taken of a plugin is
 * its `offload:contribute` hook alone, once all its files have proved to be out of others' reach.
 */
import { openSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkTrustedTree } from '../config/trusted-tree.js'
import { ConfigurationError } from '../errors/offload-error.js'
import type { ContributeHook } from '../plugin-api/index.js'
import { apiObstacle } from './api-version.js'
import type { InstalledEntry } from './plugin-index.js'

export const contributeEvent = 'offload:contribute'

/** For messages, which name the plugin before. */
const step = 'checking its files'

interface HookPlace {
  readonly target: string
  readonly identifier: string
}

/** What is read of a plugin's package.json. */
export interface PluginManifest {
  readonly name?: unknown
  readonly version?: unknown
  /** `apiVersion`: the oldest version of the plugin API that it can do with. */
  readonly 'guix-offload'?: { readonly apiVersion?: unknown }
  readonly oclif?: { readonly hooks?: Readonly<Record<string, unknown>> }
}

/** A plugin whose files have been checked; none of its code has run. */
export interface CheckedPlugin {
  readonly name: string
  /** All that is its own, without links: what it depends on, too. */
  readonly tree: string
  /** The package in there. */
  readonly root: string
  readonly places: readonly HookPlace[]
}

/** @throws ConfigurationError that says what is wrong and how to mend it */
export async function checkInstalled(home: string, entry: InstalledEntry): Promise<CheckedPlugin> {
  const parts = entry.folder.split(sep)
  // What npm has installed with a package lies beside it, in `packages/ID/node_modules`.
  const [folder, below] = entry.kind === 'link' ? [entry.folder, []] : [join(home, ...parts.slice(0, 2)), parts.slice(2)]
  try {
    // Kept open for as long as this process lives: the folder of a plugin that is replaced meanwhile is then not removed.
    openSync(folder, 'r')
    const tree = await checkTrustedTree(folder, { step })
    const root = join(tree, ...below)
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PluginManifest
    const obstacle = apiObstacle(manifest['guix-offload']?.apiVersion)
    if (obstacle !== undefined) throw new ConfigurationError({ code: 'plugin-api-version', step, problem: obstacle })
    return { name: entry.name, tree, root, places: hookPlaces(manifest) }
  } catch (error) {
    throw explained(error, entry.name, folder)
  }
}

/** @throws whatever the plugin throws while it is loaded */
export async function importHooks({ places, root }: CheckedPlugin): Promise<readonly ContributeHook[]> {
  const hooks: ContributeHook[] = []
  for (const place of places) hooks.push(await importHook(root, place))
  return hooks
}

/** As oclif writes them: a path, or a path and the name of an export, or several of these. */
export function hookPlaces(manifest: PluginManifest): readonly HookPlace[] {
  const declared = manifest.oclif?.hooks?.[contributeEvent] ?? []
  return (Array.isArray(declared) ? declared : [declared]).flatMap((hook: unknown) => {
    if (typeof hook === 'string') return [{ target: hook, identifier: 'default' }]
    const { target, identifier = 'default' } = (hook ?? {}) as { target?: unknown; identifier?: unknown }
    return typeof target === 'string' && typeof identifier === 'string' ? [{ target, identifier }] : []
  })
}

async function importHook(root: string, { target, identifier }: HookPlace): Promise<ContributeHook> {
  const file = join(root, target)
  if (!file.startsWith(root + sep)) throw new ConfigurationError({ code: 'plugin-malformed', step, problem: `its hook ${target} is outside of its folder` })
  const module = await import(pathToFileURL(file).href) as Readonly<Record<string, unknown>>
  const found = module[identifier]
  if (typeof found === 'function') return found as ContributeHook
  throw new ConfigurationError({ code: 'plugin-malformed', step, problem: `${target} exports no function as ${identifier}` })
}

function explained(error: unknown, name: string, folder: string): unknown {
  const { code, path = folder } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') {
    return new ConfigurationError({ code: 'plugin-missing', step, problem: `${path} is gone`, cure: `guix-offload plugins uninstall ${name}`, cause: error })
  }
  if (code !== 'EACCES') return error
  return new ConfigurationError({ code: 'unreadable-file', step, problem: `no permission for user id ${process.geteuid?.() ?? '?'}`, subject: path, cure: `chmod -R a+rX ${path}`, cause: error })
}
