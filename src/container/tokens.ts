import type { Configuration } from '../config/configuration.js'
import type { Environment } from '../config/environment.js'
import type { HookArguments } from '../hook/arguments.js'
import type { DaemonOutput } from '../hook/daemon-output.js'
import type { HookOptions } from '../hook/run-hook.js'
import type { BuildMachine, Log, MachineSource, SchedulingStrategy, SourceContext, Transport } from '../plugin-api/index.js'
import type { Contributions } from '../plugin-host/contributions.js'
import type { EmployMachines } from '../offload/employ-machines.js'
import type { Explain } from '../offload/explain/explain.js'
import type { ListMachines } from '../offload/list-machines.js'
import type { ConfigurationReport } from '../offload/show-configuration.js'
import type { HistoryQuestion, HistoryRecord } from '../offload/read-history.js'
import type { StatusOfMachines } from '../offload/status-of-machines.js'
import type { ProvenanceReport } from '../offload/tell-provenance.js'
import type { TestMachines } from '../offload/test-machines.js'
import type { HealthFacts } from '../scheduling/health.js'
import type { InjectionToken } from './injection.js'

/** One process that guix-daemon has started. */
export interface HookProcess {
  readonly arguments: HookArguments
  readonly output: DaemonOutput
}

/** What use cases and commands see of the container. */
export interface Root {
  resolve<T>(token: Token<T>): T
}

/** A token says what is resolved by it, so that nobody casts. */
export type Token<T> = InjectionToken<T>

const token = <T>(name: string): Token<T> => Symbol(name)

/**
 * What can be resolved. Whatever needs a file, a plugin or a heavy module is a promise, made on first use: so each command pays for what it uses, and a failure
 * keeps its type (tsyringe wraps what is thrown while it resolves).
 */
export const tokens = {
  log: token<Log>('log'),
  environment: token<Promise<Environment>>('environment'),
  configuration: token<Promise<Configuration>>('configuration'),
  contributions: token<Promise<Contributions>>('contributions'),
  /** The transport that a machine asks for. */
  transportFor: token<Promise<(machine: BuildMachine) => Promise<Transport>>>('transportFor'),
  schedulingStrategy: token<Promise<SchedulingStrategy>>('schedulingStrategy'),
  machineSources: token<Promise<readonly MachineSource[]>>('machineSources'),
  /** Where sources look; the caller adds the signal and, where the user named one, the file. */
  sourceContext: token<Promise<Omit<SourceContext, 'signal' | 'file'>>>('sourceContext'),
  /** Answers requests of guix-daemon, for the process given. */
  decider: token<Promise<(hook: HookProcess) => HookOptions['decide']>>('decider'),
  listMachines: token<Promise<ListMachines>>('listMachines'),
  testMachines: token<Promise<TestMachines>>('testMachines'),
  /** Looks at the configuration, the plugins and the machines. */
  showConfiguration: token<Promise<(signal: AbortSignal) => Promise<ConfigurationReport>>>('showConfiguration'),
  employMachines: token<Promise<EmployMachines>>('employMachines'),
  /** What is remembered of a machine from builds. */
  healthOf: token<Promise<(machine: BuildMachine) => HealthFacts>>('healthOf'),
  readHistory: token<Promise<(question: HistoryQuestion) => HistoryRecord[]>>('readHistory'),
  tellProvenance: token<Promise<(path: string, signal: AbortSignal) => Promise<ProvenanceReport>>>('tellProvenance'),
  explain: token<Promise<Explain>>('explain'),
  statusOfMachines: token<Promise<StatusOfMachines>>('statusOfMachines'),
}
