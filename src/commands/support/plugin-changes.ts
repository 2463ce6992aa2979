import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigurationError } from '../../errors/offload-error.js'
import { PluginInstaller } from '../../plugin-host/install-plugins.js'
import { npmInstall, type NpmOptions } from '../../plugin-host/npm.js'
import { pluginHome, printIndex, type InstalledEntry } from '../../plugin-host/plugin-index.js'
import type { PluginReport } from './plugins-report.js'

const trialMs = 60_000

/** @param program the program itself, which loads plugins as the hook would: in a process of its own, as the user of guix-daemon */
export function pluginInstaller(program: string, options: NpmOptions): PluginInstaller {
  const home = pluginHome(process.env)
  // npm makes files and folders for everybody to write to and leaves the rest to the umask.
  process.umask(0o022)
  return new PluginInstaller(home, {
    install: (folder, spec) => npmInstall(folder, spec, options),
    tryOut: (entries, name) => tryOut({ entries, home, name, program, signal: options.signal }),
  })
}

interface Trial {
  readonly entries: readonly InstalledEntry[]
  readonly home: string
  readonly name: string
  readonly program: string
  readonly signal: AbortSignal
}

async function tryOut({ entries, home, name, program, signal }: Trial): Promise<void> {
  const folder = await mkdtemp(join(home, 'packages', 'trial-'))
  try {
    const index = join(folder, 'index.json')
    await writeFile(index, printIndex(entries))
    await promisify(execFile)('chmod', ['755', folder])
    const answer = await promisify(execFile)(process.execPath, [program, 'plugins', '--json', '--index', index], { signal, timeout: trialMs, killSignal: 'SIGKILL' }).then(
      ({ stdout }) => stdout,
      // It exits with 1 where some plugin is left out; what it prints is a list all the same.
      (error: unknown) => (error as { stdout?: string }).stdout ?? '',
    )
    signal.throwIfAborted()
    const problem = problemIn(answer, name)
    if (problem !== undefined) throw new ConfigurationError({ code: 'plugin-unusable', step: `trying ${name}`, problem, cure: 'Nothing was changed' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function problemIn(answer: string, name: string): string | undefined {
  if (answer.trim() === '') return `it did not let the program end within ${trialMs / 1000} s, or ended it`
  const value = JSON.parse(answer) as { readonly plugins: readonly PluginReport[] } | { readonly error: { readonly message: string } }
  if ('error' in value) return value.error.message
  return value.plugins.find((plugin) => plugin.name === name)?.problem ?? undefined
}
