import { EmploymentCommand } from '../support/employment-command.js'

export default class MachinesEnable extends EmploymentCommand {
  static override summary = 'send builds to some machines again, also to those that are set aside because they have failed'
  static override args = EmploymentCommand.names
  static override strict = false
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { argv } = await this.parse(MachinesEnable)
    const useCase = await this.employMachines()
    return this.presentEmployment(await useCase.enable(argv as string[], this.interrupted()))
  }
}
