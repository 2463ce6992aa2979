import * as Args from '@oclif/core/args'
import { tokens } from '../container/tokens.js'
import { BaseCommand } from './support/base-command.js'
import { provenanceJson, provenanceLines } from './support/provenance-report.js'

export default class Provenance extends BaseCommand {
  static override summary = 'say from which machine a store item was fetched, and which key signed it'
  static override args = { path: Args.string({ description: 'the store item', required: true, ignoreStdin: true }) }
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { args } = await this.parse(Provenance)
    const tellProvenance = await (await this.root()).resolve(tokens.tellProvenance)
    const report = await tellProvenance(args.path, this.interrupted())
    return this.present(provenanceLines(report, this.style()), provenanceJson(report), report.entry !== undefined && report.state !== 'other')
  }
}
