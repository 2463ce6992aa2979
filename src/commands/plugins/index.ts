import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../support/base-command.js'
import { pluginReports, pluginsLines } from '../support/plugins-report.js'

export default class Plugins extends BaseCommand {
  static override summary = 'list the installed plugins: what each brings, or why it is left out'
  static override description = 'Those that come with guix-offload are not listed. Plugins are installed for the whole system, in /var/lib/guix-offload/plugins ($GUIX_OFFLOAD_PLUGINS names another folder).'
  static override flags = {
    index: Flags.string({ hidden: true, description: 'list what this file says instead: a change that is to be tried' }),
  }

  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Plugins)
    await this.rootOfDaemonUser()
    const [{ pluginHome, readIndex }, { gatherContributions }] = await Promise.all([import('../../plugin-host/plugin-index.js'), import('../../plugin-host/gather-contributions.js')])
    const home = pluginHome(process.env)
    const entries = await readIndex(home, flags.index)
    const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined }
    const plugins = pluginReports(entries, await gatherContributions(this.config, quiet, { home, entries }))
    const report = plugins.map(({ brings, from, kind, name, problem, version }) => ({ name, version, kind, from, brings, problem }))
    return this.present(pluginsLines(plugins, this.style()), { plugins: report }, plugins.every(({ problem }) => problem === null))
  }
}
