import { tokens } from '../container/tokens.js'
import { BaseCommand } from './support/base-command.js'
import { file, regexp } from './support/machine-arguments.js'
import { clockWarnings, statusJson, statusLines } from './support/status-report.js'

export default class Status extends BaseCommand {
  static override summary = 'show load, free space, clock and free build slots of build machines'
  static override args = { file, regexp }
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { args } = await this.parse(Status)
    const useCase = await (await this.rootOfDaemonUser()).resolve(tokens.statusOfMachines)
    const report = await useCase.run({ file: args.file, names: args.regexp }, this.interrupted())
    this.warnOfListing(report, args.regexp)
    clockWarnings(report).forEach((message) => this.warning(message))
    const fine = report.failures.length === 0 && report.machines.every(({ problem }) => problem === undefined)
    return this.present(statusLines(report, this.style()), statusJson(report), fine)
  }
}
