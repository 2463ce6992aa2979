import * as Flags from '@oclif/core/flags'
import { machineId } from '../../machines/machine-id.js'
import { EmploymentCommand } from '../support/employment-command.js'

export default class MachinesDrain extends EmploymentCommand {
  static override summary = 'send no more builds to some machines, and say or wait for what this host still builds there'
  static override args = EmploymentCommand.names
  static override strict = false
  static override flags = {
    for: Flags.custom<string>({ description: 'only for that long: 30m, 2h, 1d', helpValue: 'TIME' })(),
    wait: Flags.boolean({ description: 'end when no build of this host runs there any more' }),
  }

  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(MachinesDrain)
    const { report, useCase, signal } = await this.disable(argv as string[], flags.for, flags.for === undefined)
    if (!flags.wait) return this.presentEmployment(report)
    const said = this.presentEmployment(report)
    const busy = report.machines.filter(({ running }) => running.builds > 0).map(({ machine }) => machine)
    await useCase.idle(busy, (machine) => this.log(`${machineId(machine)}: idle`), signal)
    return said
  }
}
