import { tokens } from '../container/tokens.js'
import { BaseCommand } from './support/base-command.js'
import { listingComplete } from './support/listing.js'
import { file, regexp } from './support/machine-arguments.js'
import { passed, testJson, testLines } from './support/test-report.js'

export default class Test extends BaseCommand {
  static override summary = 'check that build machines can be reached, trusted and used'
  static override args = { file, regexp }
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { args } = await this.parse(Test)
    const useCase = await (await this.rootOfDaemonUser()).resolve(tokens.testMachines)
    const report = await useCase.run({ file: args.file, names: args.regexp }, this.interrupted())
    this.warnOfListing(report, args.regexp)
    return this.present(testLines(report, this.style()), testJson(report), listingComplete(report) && report.machines.every(passed))
  }
}
