import type { BuildMachine, FoundMachine, MachineSource, SourceContext, Warning } from '../plugin-api/index.js'
import { heardAndWrittenDown } from './heard-and-written-down.js'
import { isSafeMachineName, machineId } from './machine-id.js'
import { withSettings, type SettingsByName } from './machine-settings.js'

export interface SourceFailure {
  readonly source: string
  readonly error: unknown
}

/** A machine that is not used, and who found it. */
export interface FoundBySource extends FoundMachine {
  readonly source: string
}

export interface GatheredMachines {
  readonly machines: readonly BuildMachine[]
  readonly warnings: readonly Warning[]
  /** Sources that could list nothing; what the others listed is in `machines`. */
  readonly failures: readonly SourceFailure[]
  /** What evaluated or answered, by source. */
  readonly engines: Readonly<Record<string, string>>
  /** What the sources found and nobody uses. */
  readonly found: readonly FoundBySource[]
}

/**
 * Asks every source at once and puts their answers together in the order of the sources. A machine that an earlier source lists already is
 * dropped with a warning. Within one source a name and port may recur: that is how one machine gets different speeds for two systems,
 * and such entries share their slots. A machine that was found rather than written down never takes the place of one that was, whatever the order.
 */
export async function gatherMachines(
  sources: readonly MachineSource[],
  context: SourceContext,
  settings: SettingsByName = () => ({}),
): Promise<GatheredMachines> {
  const answers = await Promise.allSettled(sources.map(async (source) => source.list(context)))
  context.signal.throwIfAborted()
  const machines: BuildMachine[] = []
  const warnings: Warning[] = []
  const failures: SourceFailure[] = []
  const engines: Record<string, string> = {}
  const found: FoundBySource[] = []
  const listedBy = new Map<string, MachineSource>()
  const writtenDown = heardAndWrittenDown(answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value.machines : [])))
  for (const [index, source] of sources.entries()) {
    const answer = answers[index]
    if (answer === undefined) continue
    if (answer.status === 'rejected') {
      failures.push({ source: source.name, error: answer.reason })
      continue
    }
    warnings.push(...answer.value.warnings)
    if (answer.value.engine !== undefined) engines[source.name] = answer.value.engine
    for (const each of answer.value.found ?? []) found.push({ ...each, source: source.name })
    for (const machine of answer.value.machines) {
      const same = writtenDown(machine)
      if (same !== undefined && machine.heardAt !== undefined) {
        const { name, port, address, hostKey, heardAt } = machine
        found.push({ name, port, address, hostKey, heardAt, standing: 'listed-already', reason: `it is ${machineId(same)}, which ${same.source} lists`, source: source.name })
        continue
      }
      const id = machineId(machine)
      const first = listedBy.get(id)
      if (!isSafeMachineName(machine.name)) {
        const message = `${source.name}: ${JSON.stringify(machine.name)} is no host name; the machine is left out`
        warnings.push({ code: 'machine-name-unsafe', message, location: machine.location, dropped: true })
      } else if (first !== undefined && first !== source) {
        const message = `${source.name}: ${id} is listed by ${first.name} already; this entry is left out`
        warnings.push({ code: 'machine-listed-twice', message, location: machine.location, dropped: true })
      } else {
        listedBy.set(id, source)
        machines.push(withSettings(machine, settings))
      }
    }
  }
  return { machines, warnings, failures, engines, found: oncePerMachine(found) }
}

/** One with two entries is found twice. */
function oncePerMachine(found: readonly FoundBySource[]): FoundBySource[] {
  const key = (each: FoundBySource): string => [machineId(each), each.standing, each.hostKey ?? '', each.reason].join(' ')
  return [...new Map(found.map((each) => [key(each), each])).values()]
}
