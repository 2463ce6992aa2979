import type { BuildMachine, Location } from '../../plugin-api/index.js'
import type { MachinesReport } from '../../offload/reports.js'
import { dateAndTime } from '../../scheduling/clock-time.js'
import type { HealthFacts } from '../../scheduling/health.js'
import { healthJson } from './health-report.js'
import { foundJson, secondsSince } from './found-report.js'
import type { Style } from './style.js'
import { tableLines } from './table.js'

/** What is remembered of a machine. */
type HealthOf = (machine: BuildMachine) => HealthFacts

/** Guix's. */
const defaultCompressionLevel = 3

const headings = ['MACHINE', 'USER', 'SYSTEMS', 'BUILDS', 'SPEED', 'FEATURES', 'SOURCE', 'PLACE']

/** @param now milliseconds since the epoch */
export function machinesLines({ machines }: MachinesReport, healthOf: HealthOf, style: Style, now = Date.now()): string[] {
  const rows = machines.map((machine) => [
    `${machine.name}:${machine.port}${remark(machine, healthOf(machine))}`,
    machine.user,
    machine.systems.join(','),
    String(machine.parallelBuilds),
    String(machine.speed),
    machine.features.join(',') || '-',
    machine.source,
    placeOf(machine.location) ?? (machine.heardAt === undefined ? '-' : `heard ${secondsSince(machine.heardAt, now)} s ago`),
  ])
  return tableLines(headings, rows, style)
}

/** Every key is there for every machine; null: not said, and decided when connecting. */
export function machinesJson({ machines, warnings, failures, engines, found = [] }: MachinesReport, healthOf: HealthOf, now = Date.now()): unknown {
  return {
    machines: machines.map((machine) => ({ ...identity(machine), ...fields(machine, engines, now), ...employment(healthOf(machine)) })),
    found: found.map((each) => foundJson(each, now)),
    warnings: warnings.map(({ code, message, location, dropped }) => ({ code, message, location: location ?? null, dropped: dropped ?? false })),
    failures: failures.map(({ source, problem }) => ({ source, code: problem.code, message: problem.message })),
  }
}

/** What every report says first about a machine. */
export function identity({ name, port }: BuildMachine) {
  return { name, port }
}

function remark({ settings }: BuildMachine, { disabled, setAside }: HealthFacts): string {
  if (settings?.disabled === true) return ' (disabled)'
  if (disabled !== undefined) return disabled.until === undefined ? ' (disabled)' : ` (disabled until ${dateAndTime(disabled.until)})`
  return setAside === undefined ? '' : ' (set aside)'
}

function employment(health: HealthFacts) {
  const { disabled, setAside } = healthJson(health)
  return { disabled, setAside }
}

export function placeOf(location: Location | undefined): string | undefined {
  return location === undefined ? undefined : `${location.file}:${location.line}:${location.column}`
}

function fields(machine: BuildMachine, engines: MachinesReport['engines'], now: number) {
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
    address: machine.address ?? null,
    heardSecondsAgo: secondsSince(machine.heardAt, now) ?? null,
    settings: machine.settings ?? {},
  }
}
