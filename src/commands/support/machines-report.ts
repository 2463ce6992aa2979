import type { BuildMachine, Location } from '../../plugin-api/index.js'
import type { MachinesReport } from '../../offload/reports.js'
import type { Style } from './style.js'
import { tableLines } from './table.js'

const headings = ['MACHINE', 'USER', 'SYSTEMS', 'BUILDS', 'SPEED', 'FEATURES', 'SOURCE', 'PLACE']

export function machinesLines({ machines }: MachinesReport, style: Style): string[] {
  const rows = machines.map((machine) => [
    `${machine.name}:${machine.port}${machine.settings?.disabled === true ? ' (disabled)' : ''}`,
    machine.user,
    machine.systems.join(','),
    String(machine.parallelBuilds),
    String(machine.speed),
    machine.features.join(',') || '-',
    machine.source,
    placeOf(machine.location) ?? '-',
  ])
  return tableLines(headings, rows, style)
}

/** Every key is there for every machine; null: not said. */
export function machinesJson({ machines }: MachinesReport): unknown[] {
  return machines.map((machine) => ({ ...identity(machine), ...fields(machine) }))
}

/** What every report says first about a machine. */
export function identity({ name, port }: BuildMachine) {
  return { name, port }
}

export function placeOf(location: Location | undefined): string | undefined {
  return location === undefined ? undefined : `${location.file}:${location.line}:${location.column}`
}

function fields(machine: BuildMachine) {
  return {
    systems: machine.systems,
    user: machine.user,
    privateKey: machine.privateKey ?? null,
    hostKey: machine.hostKey,
    compression: machine.compression ?? null,
    compressionLevel: machine.compressionLevel ?? null,
    daemonSocket: machine.daemonSocket,
    overloadThreshold: machine.overloadThreshold,
    parallelBuilds: machine.parallelBuilds,
    speed: machine.speed,
    features: machine.features,
    source: machine.source,
    location: machine.location ?? null,
    settings: machine.settings ?? {},
  }
}
