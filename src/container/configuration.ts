import { userInfo } from 'node:os'
import type { MachineSettings } from '../plugin-api/index.js'

/** What the composition root reads of the configuration. */
export interface Configuration {
  /** Name of the transport for machines without one of their own. */
  readonly transport: string
  readonly scheduler: string
  /** Names of machine sources, in order. */
  readonly sources: readonly string[]
  /** What the file says about a machine, by its name. */
  machineSettings(name: string): MachineSettings
  /** Options by contribution, unchecked. */
  readonly plugins: Readonly<Record<string, unknown>>
}

/** Folders that the environment decides. */
export interface Environment {
  readonly configurationDirectory: string
  readonly homeDirectory: string
  readonly variables: Readonly<Record<string, string | undefined>>
}

export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): Environment {
  return { configurationDirectory: variables.GUIX_CONFIGURATION_DIRECTORY || '/etc/guix', homeDirectory: userInfo().homedir, variables }
}

export function loadConfiguration(_environment: Environment): Promise<Configuration> {
  return Promise.resolve({ transport: 'ssh2', scheduler: 'guix', sources: ['machines-scm'], machineSettings: () => ({}), plugins: {} })
}
