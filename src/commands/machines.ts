import { tokens } from '../container/tokens.js'
import { BaseCommand } from './support/base-command.js'
import { foundNotes } from './support/found-report.js'
import { file } from './support/machine-arguments.js'
import { machinesJson, machinesLines } from './support/machines-report.js'

export default class Machines extends BaseCommand {
  static override summary = 'list the build machines that the sources know, with every field as it takes effect'
  static override args = { file }
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { args } = await this.parse(Machines)
    const root = await this.rootOfDaemonUser()
    const [useCase, healthOf] = await Promise.all([root.resolve(tokens.listMachines), root.resolve(tokens.healthOf)])
    const report = await useCase.run({ file: args.file }, this.interrupted())
    this.warnOfListing(report)
    for (const note of foundNotes(report.found ?? [])) this.note(note)
    return this.present(machinesLines(report, healthOf, this.style()), machinesJson(report, healthOf), report.failures.length === 0)
  }
}
