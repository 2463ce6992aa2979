import type { MachineSettings } from '../plugin-api/index.js'

/** What the configuration file says, defaults filled in. Times in milliseconds, sizes in bytes. */
export interface Configuration {
  /** Name of the transport for machines without one of their own. */
  readonly transport: string
  /** Name of the scheduling strategy. */
  readonly scheduler: string
  /** Names of machine sources, in order. */
  readonly sources: readonly string[]
  /** When every machine is unreachable: build here, or wait for one. */
  readonly onUnreachable: 'local' | 'wait'
  /** May build machines offload further? */
  readonly offloadOnward: boolean
  readonly minimumFreeSpaceBytes: number
  readonly timeouts: Timeouts
  /** What the file says about a machine, by its name; patterns in the file's order, the exact name last, later ones win key by key. */
  readonly machineSettings: (name: string) => MachineSettings
  /** Options by contribution, unchecked. */
  readonly plugins: Readonly<Record<string, unknown>>
  readonly origin: {
    /** The file that was read; undefined: there is none, and these are the defaults. */
    readonly file?: string | undefined
  }
}

export interface Timeouts {
  /** Name look-up and connection. */
  readonly connectMs: number
  /** From the open connection to the end of authentication. */
  readonly handshakeMs: number
  /** Between two keep-alive messages. */
  readonly keepAliveMs: number
  /** Unanswered keep-alive messages after which a connection is lost. */
  readonly keepAliveMisses: number
  /** A transfer that moves no byte for this long is given up. */
  readonly stallMs: number
}

export const defaultTimeouts: Timeouts = { connectMs: 10_000, handshakeMs: 20_000, keepAliveMs: 15_000, keepAliveMisses: 4, stallMs: 60_000 }

export const defaultConfiguration: Configuration = {
  transport: 'ssh2',
  scheduler: 'guix',
  sources: ['machines-scm'],
  onUnreachable: 'local',
  offloadOnward: false,
  minimumFreeSpaceBytes: 100 * 1024 * 1024,
  timeouts: defaultTimeouts,
  machineSettings: () => ({}),
  plugins: {},
  origin: {},
}
