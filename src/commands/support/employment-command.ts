import { userInfo } from 'node:os'
import * as Args from '@oclif/core/args'
import { parseDuration } from '../../config/units.js'
import { tokens } from '../../container/tokens.js'
import { ConfigurationError } from '../../errors/offload-error.js'
import type { EmployMachines } from '../../offload/employ-machines.js'
import type { EmploymentReport } from '../../offload/reports.js'
import { BaseCommand } from './base-command.js'
import { employmentJson, employmentLines } from './employment-report.js'

/** Ten years: longer is for ever. */
const longestMs = 10 * 365 * 86_400_000

/** What the commands share by which people say where builds go. */
export abstract class EmploymentCommand extends BaseCommand {
  protected static readonly names = { name: Args.string({ description: 'names, NAME:PORT or patterns such as b*; several may be given', required: true, ignoreStdin: true }) }

  protected async employMachines(): Promise<EmployMachines> {
    return (await this.rootOfDaemonUser()).resolve(tokens.employMachines)
  }

  protected async disable(names: readonly string[], duration: string | undefined, keep: boolean): Promise<{ report: EmploymentReport; useCase: EmployMachines; signal: AbortSignal }> {
    const since = Date.now()
    const ms = duration === undefined ? undefined : durationOf(duration)
    // Before we become the daemon's user.
    const by = whoAmI()
    const useCase = await this.employMachines()
    const signal = this.interrupted()
    const report = await useCase.disable(names, { since, until: ms === undefined ? undefined : since + ms, by }, keep, signal)
    return { report, useCase, signal }
  }

  protected presentEmployment(report: EmploymentReport): unknown {
    this.warnOfListing(report)
    return this.present(employmentLines(report), employmentJson(report), report.failures.length === 0)
  }
}

function durationOf(text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined && ms >= 1000 && ms <= longestMs) return ms
  throw new ConfigurationError({ code: 'invalid-duration', step: 'reading --for', problem: `${JSON.stringify(text)} is no time`, expected: 'a time such as 30m, 2h or 1d' })
}

function whoAmI(): string | undefined {
  const { SUDO_USER: caller = '' } = process.env
  if (caller !== '') return caller
  try {
    return userInfo().username
  } catch {
    return undefined
  }
}
