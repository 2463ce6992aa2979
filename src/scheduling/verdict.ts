import { OffloadError } from '../errors/offload-error.js'
import type { BuildMachine, Probe } from '../plugin-api/index.js'

/**
 * What became of one machine in one selection. `busy`: it could take the build at another time; `dead`: it cannot be used now;
 * `out`: it was not in the running.
 */
export type VerdictCode = keyof typeof standing

const standing = {
  chosen: 'ready',
  'not-needed': 'ready',
  unsuited: 'out',
  'tried-before': 'out',
  'disabled': 'out',
  'slots-taken': 'busy',
  'not-ranked': 'busy',
  overloaded: 'busy',
  'low-disk-space': 'busy',
  'turned-away': 'busy',
  resting: 'dead',
  'slots-unusable': 'dead',
  unreachable: 'dead',
  'probe-failed': 'dead',
} as const satisfies Record<string, 'ready' | 'out' | 'busy' | 'dead'>

export interface Verdict {
  readonly machine: BuildMachine
  readonly code: VerdictCode
  /** For people, with the figures: `load 0.83, must be below 0.80`. */
  readonly reason: string
  /** What was seen, where the machine was asked. */
  readonly probe?: Probe | undefined
  /** What went wrong, where something did. */
  readonly error?: unknown
}

export function verdictStanding(code: VerdictCode): 'ready' | 'out' | 'busy' | 'dead' {
  return standing[code]
}

/** Judges a probe: undefined if the machine can take a build now. */
export function objection(machine: BuildMachine, probe: Probe, minimumFreeBytes: number): Verdict | undefined {
  const threshold = machine.overloadThreshold
  if (threshold !== null && probe.normalizedLoad >= threshold) {
    return { machine, code: 'overloaded', reason: `load ${twoDigits(probe.normalizedLoad)}, must be below ${twoDigits(threshold)}`, probe }
  }
  if (probe.freeBytes < minimumFreeBytes) {
    return { machine, code: 'low-disk-space', reason: `free space ${size(probe.freeBytes)}, must be at least ${size(minimumFreeBytes)}`, probe }
  }
  return undefined
}

/** What speaks for a machine: `load 0.12, 57 GiB free`. */
export function fitness(probe: Probe): string {
  return `load ${twoDigits(probe.normalizedLoad)}, ${room(probe)}`
}

/** `57 GiB free` */
export function room(probe: Probe): string {
  return `${size(probe.freeBytes)} free`
}

/** A failure on the way to a machine (`connect`) or in asking it (`probe`). A passing shortage does not count as death. */
export function failureVerdict(machine: BuildMachine, phase: 'connect' | 'probe', error: unknown): Verdict {
  const later = error instanceof OffloadError && error.retry === 'later'
  const code = later ? 'turned-away' : phase === 'connect' ? 'unreachable' : 'probe-failed'
  return { machine, code, reason: `${phase}: ${withoutMachine(error)}`, error }
}

/** The reason stands behind the machine's name already. */
export function withoutMachine(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const prefix = error instanceof OffloadError && error.report.machine !== undefined ? `${error.report.machine}: ` : ''
  return error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message
}

function twoDigits(value: number): string {
  return value.toFixed(2)
}

/** Rounded down, so that too little never looks like enough. */
function size(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const
  let exponent = 0
  while (exponent < units.length - 1 && bytes >= 10 * 1024 ** (exponent + 1)) exponent += 1
  return `${Math.floor(bytes / 1024 ** exponent)} ${units[exponent] ?? ''}`
}
