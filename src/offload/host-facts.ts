import { MachineError } from '../errors/offload-error.js'
import type { BuildMachine, Connection } from '../plugin-api/index.js'
import { completePath } from '../remote-store/remote-guix.js'
import { runCommand } from './run-command.js'

/** What a machine says about itself. */
export interface HostFacts {
  /** `Linux 6.1.0`. */
  readonly kernel: string
  readonly architecture: string
  readonly hostName: string
  /** The machine's clock minus ours, in seconds; negative: it is behind. */
  readonly timeDifferenceSeconds: number
  /** Undefined where there is no /proc/meminfo. */
  readonly memoryBytes?: number | undefined
}

/** Each fact behind a marker: a log-in shell may print things of its own. Clocks are read first, when least time has passed. */
const factsScript = `${completePath}
echo "%%time $(date +%s)"
echo "%%system $(uname -s)"
echo "%%release $(uname -r)"
echo "%%architecture $(uname -m)"
echo "%%host $(uname -n)"
echo "%%memory $(sed -n 's/^MemTotal: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo 2>/dev/null)"`

/**
 * Asks for all of it in one command.
 * @param now milliseconds since the epoch
 * @throws MachineError `status-unreadable`, or what the connection throws
 */
export async function hostFacts(connection: Connection, now: () => number, signal: AbortSignal): Promise<HostFacts> {
  const asked = now()
  const { stdout, stderr } = await runCommand(connection, ['/bin/sh', '-c', factsScript], signal)
  const answered = now()
  const facts = new Map([...stdout.matchAll(/^%%(\w+) (.*)$/gm)].map(([, name = '', value = '']) => [name, value.trim()]))
  const fact = (name: string, pattern = /^\S+$/): string => {
    const value = facts.get(name) ?? ''
    if (pattern.test(value)) return value
    throw new MachineError({
      code: 'status-unreadable', machine: connection.machine.name, step: 'asking for kernel and clock', problem: `no ${name} in the answer`,
      expected: 'the output of date and uname', seen: JSON.stringify((stdout + stderr).trim().slice(0, 200)),
    })
  }
  const memory = facts.get('memory') ?? ''
  return {
    kernel: `${fact('system')} ${fact('release')}`,
    architecture: fact('architecture'),
    hostName: fact('host'),
    timeDifferenceSeconds: timeDifference(Number(fact('time', /^\d{1,12}$/)), asked, answered),
    ...(memory === '' ? {} : { memoryBytes: Number(memory) * 1024 }),
  }
}

/**
 * Their clock is read in whole seconds, some time between our question and its answer: only what both ends rule out is a difference.
 * @param theirs seconds since the epoch
 * @param asked milliseconds since the epoch, as `answered`
 */
export function timeDifference(theirs: number, asked: number, answered: number): number {
  const earliest = Math.floor(asked / 1000)
  const latest = Math.floor(answered / 1000)
  if (theirs < earliest) return theirs - earliest
  return theirs > latest ? theirs - latest : 0
}

/** With less memory for each build the kernel is likely to kill some. */
const memoryForBuild = 2 ** 30

/** What works but should be known. */
export function hostWarnings({ parallelBuilds }: BuildMachine, { timeDifferenceSeconds, memoryBytes }: HostFacts): string[] {
  const warnings: string[] = []
  if (timeDifferenceSeconds < 0) warnings.push(`its clock is ${-timeDifferenceSeconds} seconds behind ours, which confuses builds that compare time stamps: run NTP on both`)
  if (memoryBytes !== undefined && parallelBuilds > 1 && memoryBytes / parallelBuilds < memoryForBuild) {
    const each = Math.floor(memoryBytes / parallelBuilds / 2 ** 20)
    warnings.push(`${parallelBuilds} builds at a time share ${(memoryBytes / 2 ** 30).toFixed(1)} GiB of memory, ${each} MiB each: lower its parallel-builds if builds get killed`)
  }
  return warnings
}
