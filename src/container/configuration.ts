import { userInfo } from 'node:os'
import type { MachineSettings } from '../plugin-api/index.js'

/** What the composition root reads of the configuration; times in milliseconds. */
export interface Configuration {
  readonly transport: string
  readonly scheduler: string
  readonly sources: readonly string[]
  /** Per-machine settings by name or glob. */
  readonly machines: Readonly<Record<string, MachineSettings>>
  /** Options by contribution. */
  readonly plugins: Readonly<Record<string, unknown>>
}

/** Folders that depend on the environment. */
export interface Directories {
  readonly configurationDirectory: string
  readonly homeDirectory: string
}

type Environment = Readonly<Record<string, string | undefined>>

export function loadConfiguration(_environment: Environment): Promise<Configuration> {
  return Promise.resolve({ transport: 'ssh2', scheduler: 'guix', sources: ['machines-scm'], machines: {}, plugins: {} })
}

export function directories(environment: Environment): Directories {
  return { configurationDirectory: environment.GUIX_CONFIGURATION_DIRECTORY ?? '/etc/guix', homeDirectory: userInfo().homedir }
}
