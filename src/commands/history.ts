import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { tokens } from '../container/tokens.js'
import { BaseCommand } from './support/base-command.js'
import { historyJson, historyLines } from './support/history-report.js'

export default class History extends BaseCommand {
  static override summary = 'list what was offloaded, where, how long each phase took, and what no machine took'
  static override args = { about: Args.string({ description: 'only this derivation (or a part of its name; with the verdict on each machine) or this machine', ignoreStdin: true }) }
  static override flags = {
    failed: Flags.boolean({ description: 'only what did not end well' }),
    number: Flags.integer({ char: 'n', description: 'the latest so many; 0: all', default: 20, min: 0, helpValue: 'N' }),
  }

  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(History)
    const readHistory = await (await this.root()).resolve(tokens.readHistory)
    const records = readHistory({ failed: flags.failed, count: flags.number, about: args.about })
    if (records.length === 0) this.warning('there is nothing of that kind in the history')
    const oneDerivation = args.about !== undefined && records.some(({ derivation }) => derivation.includes(args.about ?? ''))
    return this.present(historyLines(records, this.style(), oneDerivation), historyJson(records), true)
  }
}
