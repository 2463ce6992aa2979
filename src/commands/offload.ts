import { tokens } from '../container/tokens.js'
import { parseHookArguments } from '../hook/arguments.js'
import { OffloadError } from '../errors/offload-error.js'
import { DaemonOutput } from '../hook/daemon-output.js'
import { guardStreams } from '../hook/guarded-streams.js'
import { runHook, type HookOptions } from '../hook/run-hook.js'
import { abortOnSignals } from '../hook/signals.js'
import { BaseCommand } from './support/base-command.js'

export default class Offload extends BaseCommand {
  static override summary = 'answer the build requests of guix-daemon, which starts this command'
  static override usage = 'offload SYSTEM MAX-SILENT-TIME PRINT-BUILD-TRACE BUILD-TIMEOUT'
  /** guix-daemon's words are read by the hook itself: they are no options, and an error in them is the daemon's, not the user's. */
  static override strict = false

  async run(): Promise<void> {
    // As stock answers it; `explain` asks what guix-daemon has for a hook.
    if (this.argv.length === 1 && this.argv[0] === '--version') return this.log(`guix-offload ${this.config.version}`)
    const hookArguments = parseHookArguments(this.argv)
    const output = new DaemonOutput()
    guardStreams(output)
    const { signal } = abortOnSignals()
    // Begun before the first request is read; whether it went wrong is told in answer to that request.
    const decider = this.root().then(async (root) => (await root.resolve(tokens.decider))({ arguments: hookArguments, output }))
    decider.catch(() => undefined)
    const decide: HookOptions['decide'] = async (request, stop) => (await decider)(request, stop)
    process.exitCode = await runHook({ input: process.stdin, output, signal, decide: withoutPlugin(decide, output) })
  }
}

/** Errors that end with the plugin that they are about: the build need not, if the daemon can do it by itself. */
const pluginErrors = new Set(['plugin-failed', 'plugin-needed'])

/** Where the configuration needs a plugin that fails, that is said and the build declined. */
function withoutPlugin(decide: HookOptions['decide'], output: DaemonOutput): HookOptions['decide'] {
  return async (request, stop) => {
    try {
      return await decide(request, stop)
    } catch (error) {
      if (!(error instanceof OffloadError) || !pluginErrors.has(error.code)) throw error
      output.message(`guix offload: error: ${error.message}`)
      return { reply: 'decline' }
    }
  }
}
