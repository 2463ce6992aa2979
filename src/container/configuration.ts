import { userInfo } from 'node:os'
import type { ConnectTimeouts, MachineSettings } from '../plugin-api/index.js'

/** What the composition root reads of the configuration; times in milliseconds. */
export interface Configuration {
  readonly transport: string
  readonly scheduler: string
  readonly sources: readonly string[]
  readonly onUnreachable: 'local' | 'wait'
  readonly offloadOnward: boolean
  readonly minimumFreeSpaceBytes: number
  readonly timeouts: ConnectTimeouts & { readonly stallMs: number }
  /** Per-machine settings by name or glob. */
  readonly machines: Readonly<Record<string, MachineSettings>>
  /** Options by contribution. */
  readonly plugins: Readonly<Record<string, unknown>>
}

/** Folders that depend on the environment. */
export interface Directories {
  readonly configurationDirectory: string
  readonly homeDirectory: string
  readonly stateDirectory: string
  readonly storeDirectory: string
  readonly daemonSocket: string
}

type Environment = Readonly<Record<string, string | undefined>>

export function loadConfiguration(_environment: Environment): Promise<Configuration> {
  return Promise.resolve({ transport: 'ssh2', scheduler: 'guix', sources: ['machines-scm'], machines: {}, plugins: {}, onUnreachable: 'local', offloadOnward: false, minimumFreeSpaceBytes: 100*2**20, timeouts: {connectMs: 10000, handshakeMs: 10000, keepAliveMs: 15000, keepAliveMisses: 4, stallMs: 60000} })
}

export function directories(environment: Environment): Directories {
  return { configurationDirectory: environment.GUIX_CONFIGURATION_DIRECTORY ?? '/etc/guix', homeDirectory: userInfo().homedir, stateDirectory: '/var/guix', storeDirectory: '/gnu/store', daemonSocket: '/var/guix/daemon-socket/socket' }
}
