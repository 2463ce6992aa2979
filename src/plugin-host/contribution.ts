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
  readonly factory: Factory<Kinds[K]>
}

/** A plugin whose hook failed or hung. Nothing of what it announced counts, since half a plugin is harder to explain than none. */
export interface PluginFailure {
  readonly package: string
  readonly reason: string
}
