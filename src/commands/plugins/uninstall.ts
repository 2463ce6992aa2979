import { join } from 'node:path'
import * as Args from '@oclif/core/args'
import { BaseCommand } from '../support/base-command.js'

export default class PluginsUninstall extends BaseCommand {
  static override summary = 'uninstall a plugin, or end its link'
  static override args = { name: Args.string({ required: true, ignoreStdin: true, description: 'name of the package, as `plugins` lists it' }) }
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { args } = await this.parse(PluginsUninstall)
    const { pluginInstaller } = await import('../support/plugin-changes.js')
    const { name, version } = await pluginInstaller(join(this.config.root, 'bin', 'run.js'), { scripts: false, signal: this.interrupted() }).uninstall(args.name)
    return this.present([`uninstalled ${name} ${version}`], { name, version }, true)
  }
}
