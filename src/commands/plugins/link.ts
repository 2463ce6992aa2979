import { join } from 'node:path'
import * as Args from '@oclif/core/args'
import { BaseCommand } from '../support/base-command.js'

export default class PluginsLink extends BaseCommand {
  static override summary = 'use a plugin where it is, for those who work on it'
  static override description = 'Everything in its folder is checked at every start, and has to belong to root or to the user of guix-daemon and to be out of others\' reach.'
  static override args = { folder: Args.string({ required: true, ignoreStdin: true, description: 'folder of the package' }) }
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { args } = await this.parse(PluginsLink)
    const { pluginInstaller } = await import('../support/plugin-changes.js')
    const { folder, name, version } = await pluginInstaller(join(this.config.root, 'bin', 'run.js'), { scripts: false, signal: this.interrupted() }).link(args.folder)
    return this.present([`linked ${name} ${version} to ${folder}`], { name, version, folder }, true)
  }
}
