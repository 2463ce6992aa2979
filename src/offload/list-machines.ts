import type { MachineSource, SourceContext } from '../plugin-api/index.js'
import { filterByName } from '../machines/filter-by-name.js'
import { gatherMachines } from '../machines/gather-machines.js'
import type { SettingsByName } from '../machines/machine-settings.js'
import { problemOf } from './problem.js'
import type { MachineSelection, MachinesReport } from './reports.js'

/** Lists the machines that the sources know, as the configuration changes them. */
export interface ListMachines {
  /** @throws OffloadFailure of kind configuration, when no source could list anything or the expression is none */
  run(selection: MachineSelection, signal: AbortSignal): Promise<MachinesReport>
}

export interface ListMachinesNeeds {
  readonly sources: readonly MachineSource[]
  readonly context: Omit<SourceContext, 'signal' | 'file'>
  readonly settings: SettingsByName
}

export function listMachines({ sources, context, settings }: ListMachinesNeeds): ListMachines {
  return {
    async run({ file, names }, signal) {
      const gathered = await gatherMachines(sources, { ...context, file, live: true, signal }, settings)
      const [first] = gathered.failures
      if (first !== undefined && gathered.failures.length === sources.length) throw first.error
      return {
        machines: filterByName(gathered.machines, names),
        warnings: gathered.warnings,
        engines: gathered.engines,
        found: gathered.found,
        failures: gathered.failures.map(({ source, error }) => ({ source, problem: problemOf(error) })),
      }
    },
  }
}
