import { machineId } from '../../machines/machine-id.js'
import type { Employment, EmploymentReport } from '../../offload/reports.js'
import { healthJson } from './health-report.js'
import { identity } from './machines-report.js'

/** `b1:22: disabled until 2026-05-01 12:03 by ann; 2 builds still run there (processes 123, 456)`. */
export function employmentLines({ machines }: EmploymentReport): string[] {
  return machines.map((each) => `${machineId(each.machine)}: ${[state(each), ...past(each), ...builds(each)].join('; ')}`)
}

export function employmentJson({ machines }: EmploymentReport): unknown {
  return machines.map(({ machine, after, running }) => ({ ...identity(machine), ...healthJson(after), runningBuilds: running.builds, processes: running.pids }))
}

function state({ machine, after }: Employment): string {
  if (after.disabled !== undefined) return after.outlook.reason ?? 'disabled'
  return machine.settings?.disabled === true ? 'enabled, but the configuration file has it disabled' : 'enabled'
}

/** What this has changed. */
function past({ before, after }: Employment): string[] {
  if (after.disabled !== undefined) return []
  const { disabled, setAside, outlook } = before
  if (disabled === undefined && setAside === undefined) return ['it was so before']
  return setAside === undefined || disabled !== undefined ? [] : [`it was ${outlook.reason ?? 'set aside'}`]
}

function builds({ after, running: { builds: count, pids } }: Employment): string[] {
  if (after.disabled === undefined) return []
  if (count === 0) return ['no build of this host runs there']
  const processes = pids.length === 0 ? '' : ` (${pids.length === 1 ? 'process' : 'processes'} ${pids.join(', ')})`
  return [`${count === 1 ? '1 build' : `${count} builds`} of this host still ${count === 1 ? 'runs' : 'run'} there${processes}`]
}
