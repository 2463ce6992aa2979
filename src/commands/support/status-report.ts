import type { MachineCondition, MachineStatus, StatusReport } from '../../offload/reports.js'
import { dateAndTime } from '../../scheduling/clock-time.js'
import { healthJson } from './health-report.js'
import { foundJson, foundLines, secondsSince } from './found-report.js'
import { identity } from './machines-report.js'
import type { Style } from './style.js'
import { withoutName } from './test-report.js'

/** The first lines of each machine are those of `guix offload status`, word for word; scripts read them. */
export function statusLines({ machines, found = [] }: StatusReport, style: Style, now = Date.now()): string[] {
  return [...machines.flatMap((status) => [
    style.strong(status.machine.name),
    ...(status.condition === undefined ? [] : conditionLines(status.condition)),
    ...(status.problem === undefined ? [] : [`  ${style.bad('problem')}: ${withoutName(status.problem.message, status)}`]),
    ...healthLines(status, style),
    `  build slots: ${status.freeSlots} of ${status.freeSlots + status.takenSlots} free`,
    ...heardLines(status, now),
  ]), ...foundLines(found.filter(({ standing }) => standing === 'not-trusted'), style, now)]
}

function heardLines({ machine: { address, heardAt, source } }: MachineStatus, now: number): string[] {
  return heardAt === undefined ? [] : [`  found by ${source}: heard ${secondsSince(heardAt, now)} s ago${address === undefined ? '' : `, at ${address}`}`]
}

/** For stderr: a clock that is behind makes outputs look newer than they are. */
export function clockWarnings({ machines }: StatusReport): string[] {
  return machines.flatMap(({ machine, condition }) =>
    condition === undefined || condition.timeDifferenceSeconds >= 0
      ? []
      : [`machine '${machine.name}' is ${-condition.timeDifferenceSeconds} seconds behind`])
}

/** Times in seconds, sizes in bytes. Machines that were found and are not used come last, with all that is known of machines in use null. */
export function statusJson({ machines, found = [] }: StatusReport, now = Date.now()): unknown[] {
  return [...machines.map((status) => ({
    ...identity(status.machine),
    ...conditionJson(status),
    freeSlots: status.freeSlots,
    takenSlots: status.takenSlots,
    ...healthJson(status.health),
    error: status.problem === undefined ? null : { code: status.problem.code, message: status.problem.message, cure: status.problem.cure ?? null },
    standing: 'used',
    address: status.machine.address ?? null,
    heardSecondsAgo: secondsSince(status.machine.heardAt, now) ?? null,
  })), ...found.map((each) => ({ ...conditionJson({}), freeSlots: null, takenSlots: null, disabled: null, setAside: null, lastProbe: null, error: null, ...foundJson(each, now) }))]
}

function healthLines({ machine, condition, health: { outlook, setAside, lastProbe } }: MachineStatus, style: Style): string[] {
  const lines: string[] = []
  if (machine.settings?.disabled === true) lines.push(`  ${style.bad('not used')}: disabled in the configuration`)
  // The state does not say both: a machine that is disabled may have failed, too.
  else if (outlook.state === 'disabled' || setAside !== undefined) lines.push(`  ${style.bad('not used')}: ${outlook.reason ?? ''}${outlook.state === 'due' ? '; the next build tries it again' : ''}`)
  if (condition === undefined && lastProbe !== undefined) {
    lines.push(`  last seen: ${dateAndTime(lastProbe.at)}, normalized load ${lastProbe.normalizedLoad.toFixed(2)}, free disk space ${humanSize(lastProbe.freeBytes)}`)
  }
  return lines
}

function conditionJson({ condition }: Pick<MachineStatus, 'condition'>) {
  return {
    kernel: condition?.kernel ?? null,
    architecture: condition?.architecture ?? null,
    hostName: condition?.hostName ?? null,
    normalizedLoad: condition?.normalizedLoad ?? null,
    freeBytes: condition?.freeBytes ?? null,
    timeDifferenceSeconds: condition?.timeDifferenceSeconds ?? null,
    roundTripSeconds: condition === undefined ? null : condition.roundTripMs / 1000,
    transport: condition?.transport ?? null,
    compressionReason: condition?.compressionReason ?? null,
    rung: condition?.rung ?? null,
  }
}

function conditionLines(condition: MachineCondition): string[] {
  // What people look for first; the rest, keys and addresses, is in --json.
  const { server, cipher, compression } = condition.transport
  const transport = [server, cipher, compression === undefined ? undefined : `compression ${compression}`].filter((part) => part !== undefined)
  return [
    `  kernel: ${condition.kernel}`,
    `  architecture: ${condition.architecture}`,
    `  host name: ${condition.hostName}`,
    `  normalized load: ${condition.normalizedLoad.toFixed(2)}`,
    `  free disk space: ${humanSize(condition.freeBytes)}`,
    `  time difference: ${condition.timeDifferenceSeconds} s`,
    `  connection: ${[...transport, `round trip ${condition.roundTripMs.toFixed(1)} ms`, condition.rung === undefined ? 'daemon not reached' : `daemon by ${condition.rung}`].join(', ')}`,
  ]
}

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']

/** Whole numbers of the largest unit that the size exceeds, as Guix writes them. */
export function humanSize(bytes: number): string {
  const exponent = units.findLastIndex((_, index) => index === 0 || bytes > 1024 ** index)
  return `${Math.round(bytes / 1024 ** exponent)} ${units[exponent]}`
}
