import { tokens } from '../container/tokens.js'
import { BaseCommand } from './support/base-command.js'
import { configurationJson, configurationLines, warningLine } from './support/configuration-report.js'

export default class Config extends BaseCommand {
  static override summary = 'show the configuration that is in effect, and where each value is from'
  static override description = 'Strings among the options of plugins are not shown, as they may be secrets; paths are.'
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    await this.parse(Config)
    const show = await (await this.rootOfDaemonUser()).resolve(tokens.showConfiguration)
    const report = await show(this.interrupted())
    for (const warning of report.warnings) this.warning(warningLine(warning))
    return this.present(configurationLines(report, this.style()), configurationJson(report), report.warnings.every(({ code }) => code === 'no-machine-matches'))
  }
}
