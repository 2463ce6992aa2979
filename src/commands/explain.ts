import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { tokens } from '../container/tokens.js'
import { wouldBeOffloaded } from '../offload/explain/report.js'
import { BaseCommand } from './support/base-command.js'
import { explainJson, explainLines } from './support/explain-report.js'

export default class Explain extends BaseCommand {
  static override summary = 'say whether a derivation would be offloaded now, to which machine, and why not to the others'
  static override args = { derivation: Args.string({ description: 'the derivation, /gnu/store/….drv', ignoreStdin: true }) }
  static override flags = {
    system: Flags.string({ description: 'instead of a derivation: its system type, such as x86_64-linux', helpValue: 'SYSTEM' }),
    features: Flags.string({ description: 'with --system: what it requires of a machine', helpValue: 'F[,G]', dependsOn: ['system'] }),
  }

  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Explain)
    if ((args.derivation === undefined) === (flags.system === undefined)) this.error('name either a derivation or, with --system, a system type', { exit: 2 })
    const question = args.derivation === undefined
      ? { system: flags.system ?? '', features: (flags.features ?? '').split(',').filter((feature) => feature !== '') }
      : { derivation: args.derivation }
    const { lookAround, variablesOfHook } = await import('../offload/explain/surroundings.js')
    const surroundings = lookAround()
    Object.assign(process.env, variablesOfHook(surroundings, process.env))
    const useCase = await (await this.rootOfDaemonUser()).resolve(tokens.explain)
    const report = await useCase.run(question, surroundings, this.interrupted())
    this.warnOfListing(report)
    return this.present(explainLines(report, this.style()), explainJson(report), wouldBeOffloaded(report))
  }
}
