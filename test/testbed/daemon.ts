import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LocalDaemon } from '../../src/local-store/local-daemon.js'
import { enterCommand } from './enter.js'
import type { Machine } from './machine.js'
import { Service } from './service.js'

/** How the daemon runs: as root with build users, or as user guix-daemon, the way Guix 1.5 is packaged. */
export type DaemonMode = 'root' | 'unprivileged'

export interface DaemonOptions {
  /** 0 forces offloading. */
  readonly maxJobs?: number | undefined
  /** Path in the machine of what the daemon runs as `guix`: the way to install another build hook. */
  readonly hook?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly args?: readonly string[] | undefined
  /** Servers it fetches substitutes from; none unless given. */
  readonly substituteUrls?: string | undefined
}

export const socketPath = '/var/guix/daemon-socket/socket'

/** Owners and modes of the store and the daemon's folders; the root's own packaging leaves them to user guix-daemon. */
export const daemonFoldersScript = (mode: DaemonMode) =>
  mode === 'root'
    ? 'chown root:guixbuild /gnu/store && chmod 1775 /gnu/store && chown root:root /var/guix /var/log/guix /etc/guix'
    : 'chown guix-daemon:guix-daemon /gnu/store /var/guix /var/log/guix /etc/guix && chmod 755 /gnu/store'

/**
 * Whether the socket listens, by the kernel's table: connecting to ask would leave an error in the daemon's log.
 * The table holds the path as the daemon gave it, which is relative to the socket's folder.
 */
const listens = async (holderPid: number) => {
  const acceptsConnections = '00010000'
  const table = await readFile(`/proc/${holderPid}/net/unix`, 'utf8')
  return table.split('\n').some((line) => line.endsWith('/socket') && line.split(' ')[3] === acceptsConnections)
}

export class GuixDaemon extends Service {
  /** Where a program on the host reaches the daemon's socket: a Unix socket can be connected to across namespaces. */
  readonly hostSocketPath: string
  #options: DaemonOptions

  constructor(machine: Machine, readonly mode: DaemonMode, options: DaemonOptions) {
    const hostSocketPath = join(machine.rootDir, socketPath)
    super({
      name: `guix-daemon of ${machine.name}`,
      logPath: machine.logPath('guix-daemon'),
      command: () => this.#command(machine),
      prepare: () => machine.run(['rm', '-f', socketPath]),
      ready: () => listens(machine.holderPid),
    })
    this.hostSocketPath = hostSocketPath
    this.#options = options
  }

  /** Takes effect at the next start. */
  configure(options: DaemonOptions) {
    this.#options = { ...this.#options, ...options }
  }

  /** Has it make its folders and its database, as its first client does: several first ones get into each other's way, Guix's own too (src/protocol/first-use.ts). */
  async greet() {
    const daemon = await LocalDaemon.open(this.hostSocketPath)
    daemon.close()
  }

  #command(machine: Machine) {
    const { maxJobs, hook, env, args = [], substituteUrls } = this.#options
    const command = [
      'guix-daemon', substituteUrls === undefined ? '--no-substitutes' : `--substitute-urls=${substituteUrls}`,
      ...(this.mode === 'root' ? ['--build-users-group=guixbuild'] : []),
      ...(maxJobs === undefined ? [] : [`--max-jobs=${maxJobs}`]),
      ...args,
    ]
    return enterCommand(machine.holderPid, command, {
      env: { ...(hook === undefined ? {} : { GUIX: hook }), ...env },
      // CAP_CHOWN as in the packaged unit: for per-user profiles and kept build folders.
      ...(this.mode === 'root' ? {} : { user: 'guix-daemon' as const, capabilities: '+chown' }),
    })
  }
}
