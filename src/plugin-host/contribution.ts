import { ConfigurationError } from '../errors/offload-error.js'
import type { Factory, MachineSource, SchedulingStrategy, Transport } from '../plugin-api/index.js'

/** What a plugin can bring, by kind. */
export interface Kinds {
  readonly transport: Transport
  readonly schedulingStrategy: SchedulingStrategy
  readonly machineSource: MachineSource
}

export type Kind = keyof Kinds

/** For messages. */
export const kindNames: Readonly<Record<Kind, string>> = {
  transport: 'transport',
  schedulingStrategy: 'scheduling strategy',
  machineSource: 'machine source',
}

/** One thing that one package brings. */
export interface Contribution<K extends Kind = Kind> {
  readonly kind: K
  readonly name: string
  /** The npm package it comes from. */
  readonly package: string
  /** By somebody, besides what the program brings: it is made with more care. */
  readonly installed?: boolean
  readonly factory: Factory<Kinds[K]>
}

/** A plugin whose hook failed or hung. Nothing of what it announced counts, since half a plugin is harder to explain than none. */
export interface PluginFailure {
  readonly package: string
  readonly reason: string
}

/**
 * What a contribution did that it must not do.
 * @param doing what was asked of it: `starting`
 */
export function pluginFailed({ kind, name, package: subject }: Contribution, doing: string, error: unknown): ConfigurationError {
  return new ConfigurationError({
    code: 'plugin-failed',
    step: `${doing} ${kindNames[kind]} '${name}'`,
    problem: error instanceof Error ? error.message : String(error),
    subject,
    cure: 'Report it to the makers of that package, or choose another in the configuration file',
    cause: error,
  })
}
