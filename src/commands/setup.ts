import { join } from 'node:path'
import * as Flags from '@oclif/core/flags'
import { evaluatorBytecode } from '../container/scheme-toolkit.js'
import { readEnvironment } from '../config/environment.js'
import { runCommand } from '../offload/setup/run-command.js'
import { setUp } from '../offload/setup/set-up.js'
import { BaseCommand } from './support/base-command.js'
import { machineFiles } from './support/machine-files.js'
import { setupJson, setupLines } from './support/setup-report.js'

export default class Setup extends BaseCommand {
  static override summary = 'make guix-daemon use this hook'
  static override description = 'Writes the wrapper that guix-daemon is pointed at and, where systemd runs the daemon, the drop-in that does so; says what is left to do.'
  static override flags = {
    'dry-run': Flags.boolean({ description: 'only say what would be done' }),
    undo: Flags.boolean({ description: 'remove everything that setup wrote' }),
  }

  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Setup)
    const { configurationDirectory } = readEnvironment(process.env)
    const program = join(this.config.root, 'bin', 'run.js')
    const report = await setUp({
      root: '/',
      node: process.execPath,
      program,
      searchPath: process.env.PATH ?? '',
      run: runCommand,
      machineFiles: () => machineFiles(process.execPath, program, configurationDirectory, this.interrupted()),
      bytecode: evaluatorBytecode(),
    }, { dryRun: flags['dry-run'], undo: flags.undo })
    report.warnings.forEach((message) => this.warning(message))
    return this.present(setupLines(report), setupJson(report), true)
  }
}
