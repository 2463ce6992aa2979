import { Command } from '@oclif/core/command'
import type { Config } from '@oclif/core/config'
import type * as Interfaces from '@oclif/core/interfaces'
import type { Root } from '../../container/tokens.js'
import { OffloadError } from '../../errors/offload-error.js'
import { abortOnSignals } from '../../hook/signals.js'
import type { Listing } from '../../offload/reports.js'
import { claimStdout, printing } from '../../plugin-host/own-stdout.js'
import { listingWarnings, noMachines } from './listing.js'
import { styleFor, type Style } from './style.js'

/** Codes of errors that are the caller's way of calling, not the state of the world. */
const usageCodes = new Set(['invalid-regexp', 'machine-unknown', 'invalid-duration', 'not-a-derivation', 'not-a-store-item'])

/**
 * What all commands share: the way to the use cases, and the one place where errors become exit codes: 0 fine, 1 something is wrong, 2 usage.
 */
export abstract class BaseCommand extends Command {
  /** As oclif's, but with the configuration that is loaded already: oclif's would load it anew for each command. */
  static override async run<T extends Command>(
    this: new (argv: string[], config: Config) => T,
    argv: string[] = [],
    config?: Interfaces.LoadOptions,
  ): Promise<ReturnType<T['run']>> {
    const command = new this(argv, config as Config)
    return (command as unknown as { _run(): Promise<ReturnType<T['run']>> })._run()
  }

  /** The use cases as the hook would have them: with the eyes of the user that guix-daemon runs as. */
  protected async rootOfDaemonUser(): Promise<Root> {
    const [{ readEnvironment }, { becomeDaemonUser }] = await Promise.all([import('../../config/environment.js'), import('./daemon-user.js')])
    becomeDaemonUser(readEnvironment(process.env).storeDirectory)
    return this.root()
  }

  protected async root(): Promise<Root> {
    const { composeRoot } = await import('../../container/composition-root.js')
    claimStdout()
    return composeRoot(this.config, process.env)
  }

  override log(message?: string, ...args: unknown[]): void {
    printing(() => super.log(message, ...args))
  }

  override logJson(json: unknown): void {
    printing(() => super.logJson(json))
  }

  protected style(): Style {
    return styleFor(process.stdout.isTTY, process.env)
  }

  /** Aborted by Ctrl-C, so that use cases close their connections. */
  protected interrupted(): AbortSignal {
    return abortOnSignals().signal
  }

  protected warning(message: string): void {
    process.stderr.write(`guix-offload: warning: ${message}\n`)
  }

  /** Worth knowing, and nothing wrong. */
  protected note(message: string): void {
    process.stderr.write(`guix-offload: note: ${message}\n`)
  }

  /** @param names the expression by which machines were selected, if any */
  protected warnOfListing(report: Listing & { readonly machines: readonly unknown[] }, names?: string): void {
    for (const message of listingWarnings(report)) this.warning(message)
    if (report.machines.length === 0) this.warning(noMachines(names))
  }

  /** Prints the lines, or with `--json` the value; a report that is not fine exits with 1. */
  protected present(lines: readonly string[], value: unknown, fine: boolean): unknown {
    for (const line of lines) this.log(line)
    if (!fine) process.exitCode = 1
    return value
  }

  protected override async catch(error: Error & { oclif?: { exit?: number } }): Promise<unknown> {
    const status = error instanceof OffloadError ? (usageCodes.has(error.code) ? 2 : 1) : (error.oclif?.exit ?? 1)
    process.exitCode = status
    if (this.jsonEnabled()) this.logJson(this.toErrorJson(error))
    else if (error instanceof OffloadError) process.stderr.write(`guix-offload: error: ${error.message}\n`)
    else throw error
    return undefined
  }

  protected override toErrorJson(error: unknown): unknown {
    if (error instanceof OffloadError) {
      const { code, message, fault, report } = error
      return { error: { code, fault, message, cure: report.cure ?? null } }
    }
    const usage = error instanceof Error && 'oclif' in error
    return { error: { code: usage ? 'usage' : 'internal', fault: usage ? 'usage' : 'internal', message: error instanceof Error ? error.message : String(error), cure: null } }
  }
}
