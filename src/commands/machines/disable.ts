import * as Flags from '@oclif/core/flags'
import { EmploymentCommand } from '../support/employment-command.js'

export default class MachinesDisable extends EmploymentCommand {
  static override summary = 'send no builds to some machines until they are enabled again; builds that run there go on'
  static override args = EmploymentCommand.names
  static override strict = false
  static override flags = { for: Flags.custom<string>({ description: 'only for that long: 30m, 2h, 1d', helpValue: 'TIME' })() }
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(MachinesDisable)
    const { report } = await this.disable(argv as string[], flags.for, false)
    return this.presentEmployment(report)
  }
}
