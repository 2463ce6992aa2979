import { join } from 'node:path'
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../support/base-command.js'

export default class PluginsInstall extends BaseCommand {
  static override summary = 'install a plugin for the whole system, or replace it by another version'
  static override description = 'With npm, into a folder of its own, and tried before it is used: what goes wrong changes nothing. Builds that are running keep the version they have.'
  static override args = { package: Args.string({ required: true, ignoreStdin: true, description: 'what npm calls a package: NAME, NAME@VERSION, a packed one (./NAME.tgz), a folder or an address' }) }
  static override flags = {
    scripts: Flags.boolean({ description: 'run the scripts that the packages want to run when they are installed, for those with native parts' }),
  }

  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(PluginsInstall)
    const { pluginInstaller } = await import('../support/plugin-changes.js')
    const installer = pluginInstaller(join(this.config.root, 'bin', 'run.js'), { scripts: flags.scripts, signal: this.interrupted() })
    const { name, version } = await installer.install(args.package)
    return this.present([`installed ${name} ${version}`], { name, version }, true)
  }
}
