import type { BuildMachine } from '../plugin-api/index.js'
import type { Disabled } from '../state/disabled-files.js'
import type { HealthFacts } from '../scheduling/health.js'
import { machinesNamed } from '../machines/machines-named.js'
import type { ListMachines } from './list-machines.js'
import { withoutRepetitions } from './machine-deadline.js'
import type { Employment, EmploymentReport } from './reports.js'

/** For people: which machines builds go to, whatever their health. Machines are named by name, `NAME:PORT` or pattern. */
export interface EmployMachines {
  /**
   * @param keep leave those as they are that are disabled already
   * @throws ConfigurationError `machine-unknown`, `state-unwritable`
   */
  disable(words: readonly string[], disabled: Disabled, keep: boolean, signal: AbortSignal): Promise<EmploymentReport>
  /** Builds go there again, and at once, though it may have failed before. @throws as `disable` */
  enable(words: readonly string[], signal: AbortSignal): Promise<EmploymentReport>
  /** Fulfilled when this host has no build on those machines any more; `progress` is told of each that is idle. */
  idle(machines: readonly BuildMachine[], progress: (machine: BuildMachine) => void, signal: AbortSignal): Promise<void>
}

export interface EmployPorts {
  readonly disabled: { disable(machine: BuildMachine, disabled: Disabled): void; enable(machine: BuildMachine): void }
  readonly health: { facts(machine: BuildMachine): HealthFacts; clear(machine: BuildMachine): void }
  /** Builds of this host that run there, and by which processes, as far as we may look. */
  running(machine: BuildMachine): { readonly builds: number; readonly pids: readonly number[] }
  pause(milliseconds: number, signal: AbortSignal): Promise<void>
}

/** Builds take seconds to hours: nobody waits for this. */
const lookAgainMs = 500

export function employMachines(list: ListMachines, ports: EmployPorts): EmployMachines {
  const change = async (words: readonly string[], signal: AbortSignal, action: (machine: BuildMachine, before: HealthFacts) => void): Promise<EmploymentReport> => {
    const { machines, warnings, failures } = await list.run({}, signal)
    const meant = withoutRepetitions(await machinesNamed(machines, words))
    return {
      warnings,
      failures,
      machines: meant.map((machine): Employment => {
        const before = ports.health.facts(machine)
        action(machine, before)
        return { machine, before, after: ports.health.facts(machine), running: ports.running(machine) }
      }),
    }
  }
  return {
    disable: (words, disabled, keep, signal) =>
      change(words, signal, (machine, before) => {
        if (!keep || before.disabled === undefined) ports.disabled.disable(machine, disabled)
      }),
    enable: (words, signal) =>
      change(words, signal, (machine) => {
        ports.disabled.enable(machine)
        ports.health.clear(machine)
      }),
    async idle(machines, progress, signal) {
      let busy = machines
      for (;;) {
        const still = busy.filter((machine) => ports.running(machine).builds > 0)
        for (const machine of busy) if (!still.includes(machine)) progress(machine)
        if (still.length === 0) return
        busy = still
        await ports.pause(lookAgainMs, signal)
      }
    },
  }
}
