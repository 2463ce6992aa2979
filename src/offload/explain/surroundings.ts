import { heldLocks, type HeldLocks } from '../../scheduling/slots-in-use.js'
import { findDaemons, type DaemonProcess } from './daemon-process.js'

/** What only root can see of this host's processes. */
export interface Surroundings {
  readonly daemons: readonly DaemonProcess[]
  readonly locks: HeldLocks
}

/** Looks about, to be called before root becomes the daemon's user. */
export function lookAround(): Surroundings {
  return { daemons: findDaemons(), locks: heldLocks() }
}

/** Folders and files that the hook takes from guix-daemon's environment. */
const inherited = ['GUIX_CONFIGURATION_DIRECTORY', 'GUIX_STATE_DIRECTORY', 'NIX_STORE_DIR', 'GUIX_OFFLOAD_CONFIG', 'GUIX_OFFLOAD_TRANSPORT', 'GUIX_OFFLOAD_SCHEDULER', 'GUIX_OFFLOAD_ON_UNREACHABLE'] as const

/** Those that the hook sees and the caller does not: to be taken over, so that both look at the same files. */
export function variablesOfHook({ daemons }: Surroundings, own: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const theirs = daemons[0]?.variables ?? {}
  return Object.fromEntries(inherited.flatMap((name) => {
    const value = theirs[name]
    return value === undefined || (own[name] ?? '') !== '' ? [] : [[name, value]]
  }))
}
