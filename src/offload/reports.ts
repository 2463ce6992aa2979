import type { BuildMachine, Warning } from '../plugin-api/index.js'
import type { HealthFacts } from '../scheduling/health.js'
import type { FoundBySource } from '../machines/gather-machines.js'
import type { CompressionChoice } from '../state/link-memory.js'
import type { Rung } from '../state/rung-memory.js'

/** Which machines a command is about; the words mean what they mean to `guix offload test` and `status`. */
export interface MachineSelection {
  /** Machine file instead of the usual one. */
  readonly file?: string | undefined
  /** Regular expression that matches anywhere in the names wanted. */
  readonly names?: string | undefined
}

/** An error as reports carry it. */
export interface Problem {
  readonly code: string
  /** The whole message, machine and cure included. */
  readonly message: string
  readonly cure?: string | undefined
}

/** What the list of machines came from; common to all reports. */
export interface Listing {
  readonly warnings: readonly Warning[]
  /** Sources that could list nothing, while others could. */
  readonly failures: readonly { readonly source: string; readonly problem: Problem }[]
  /** Machines that offer themselves and are not used. */
  readonly found?: readonly FoundBySource[] | undefined
}

export interface MachinesReport extends Listing {
  /** What evaluated or answered, by source: `built-in`, `guix repl`. */
  readonly engines: Readonly<Record<string, string>>
  readonly machines: readonly BuildMachine[]
}

/** The steps of a test, in this order. A step is skipped when one before it failed. */
export const testSteps = ['reach', 'host-key', 'login', 'daemon', 'guix-version', 'import', 'export'] as const
export type TestStepName = (typeof testSteps)[number]

export interface TestStep {
  readonly step: TestStepName
  readonly outcome: 'ok' | 'failed' | 'skipped'
  /** What was found out: a version, the name of a key, a store path. */
  readonly detail?: string | undefined
  readonly ms?: number | undefined
  readonly problem?: Problem | undefined
}

export interface MachineTest {
  readonly machine: BuildMachine
  readonly steps: readonly TestStep[]
  /** Things that work but should be known, such as more parallel builds than memory allows. */
  readonly warnings: readonly string[]
}

export interface TestReport extends Listing {
  /** One for each name and port, in the order listed. */
  readonly machines: readonly MachineTest[]
}

/** What people want of a machine. */
export interface Employment {
  readonly machine: BuildMachine
  readonly before: HealthFacts
  readonly after: HealthFacts
  /** Builds of this host on it. */
  readonly running: { readonly builds: number; readonly pids: readonly number[] }
}

export interface EmploymentReport extends Listing {
  readonly machines: readonly Employment[]
}

export interface MachineCondition {
  /** `Linux 6.1.0`. */
  readonly kernel: string
  readonly architecture: string
  readonly hostName: string
  readonly normalizedLoad: number
  readonly freeBytes: number
  /** The machine's clock minus ours; negative: it is behind. */
  readonly timeDifferenceSeconds: number
  /** What the transport negotiated. */
  readonly transport: Readonly<Record<string, string>>
  readonly roundTripMs: number
  /** Who decided about compression. */
  readonly compressionReason: CompressionChoice['reason']
  /** The way to its store; undefined: its daemon could not be reached. */
  readonly rung?: Rung | undefined
}

export interface MachineStatus {
  readonly machine: BuildMachine
  /** Slots of this host's own bookkeeping, known even for a machine that does not answer. */
  readonly freeSlots: number
  readonly takenSlots: number
  /** What is remembered of it. */
  readonly health: HealthFacts
  readonly condition?: MachineCondition | undefined
  /** Why there is no condition. */
  readonly problem?: Problem | undefined
}

export interface StatusReport extends Listing {
  /** One for each name and port, in the order listed. */
  readonly machines: readonly MachineStatus[]
}
