import type { BuildMachine, Location } from '../../plugin-api/index.js'
import type { MachinesReport } from '../../offload/reports.js'
import type { Style } from './style.js'
import { tableLines } from './table.js'

/** Guix's. */
const defaultCompressionLevel = 3

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

/** Every key is there for every machine; null: not said, and decided when connecting. */
export function machinesJson({ machines, warnings, failures, engines }: MachinesReport): unknown {
  return {
    machines: machines.map((machine) => ({ ...identity(machine), ...fields(machine, engines) })),
    warnings: warnings.map(({ code, message, location, dropped }) => ({ code, message, location: location ?? null, dropped: dropped ?? false })),
    failures: failures.map(({ source, problem }) => ({ source, code: problem.code, message: problem.message })),
  }
}

/** What every report says first about a machine. */
export function identity({ name, port }: BuildMachine) {
  return { name, port }
}

export function placeOf(location: Location | undefined): string | undefined {
  return location === undefined ? undefined : `${location.file}:${location.line}:${location.column}`
}

function fields(machine: BuildMachine, engines: MachinesReport['engines']) {
  return {
    systems: machine.systems,
    user: machine.user,
    privateKey: machine.privateKey ?? null,
    hostKey: machine.hostKey,
    compression: machine.compression ?? null,
    compressionLevel: machine.compressionLevel ?? defaultCompressionLevel,
    daemonSocket: machine.daemonSocket,
    overloadThreshold: machine.overloadThreshold,
    parallelBuilds: machine.parallelBuilds,
    speed: machine.speed,
    features: machine.features,
    source: machine.source,
    engine: engines[machine.source] ?? null,
    location: machine.location ?? null,
    settings: machine.settings ?? {},
  }
}
