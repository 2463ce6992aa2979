import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { ConfigurationError } from '../errors/offload-error.js'

/** Folders and addresses that the environment decides, named and defaulted as Guix does it. */
export interface Environment {
  /** `GUIX_CONFIGURATION_DIRECTORY`: keys, acl, machine file, our configuration. */
  readonly configurationDirectory: string
  /** `GUIX_STATE_DIRECTORY`. */
  readonly stateDirectory: string
  /** `NIX_STORE_DIR`. */
  readonly storeDirectory: string
  /** `GUIX_DAEMON_SOCKET` as it is: a path or a URI; see {@link localDaemonSocket}. */
  readonly daemonAddress: string
  /** From the passwd entry of the user we run as: guix-daemon starts us with any HOME or none. */
  readonly homeDirectory: string
  /** `GUIX_OFFLOAD_CONFIG`: a configuration file in place of the usual ones. */
  readonly configurationFile: string | undefined
  readonly variables: Readonly<Record<string, string | undefined>>
}

export function readEnvironment(variables: Readonly<Record<string, string | undefined>> = process.env): Environment {
  const path = (name: string, otherwise: string): string => resolve('/', nonEmpty(variables[name]) ?? otherwise)
  const stateDirectory = path('GUIX_STATE_DIRECTORY', '/var/guix')
  const configurationFile = nonEmpty(variables.GUIX_OFFLOAD_CONFIG)
  return {
    configurationDirectory: path('GUIX_CONFIGURATION_DIRECTORY', '/etc/guix'),
    stateDirectory,
    storeDirectory: path('NIX_STORE_DIR', '/gnu/store'),
    daemonAddress: nonEmpty(variables.GUIX_DAEMON_SOCKET) ?? join(stateDirectory, 'daemon-socket', 'socket'),
    homeDirectory: homeDirectory(),
    configurationFile: configurationFile === undefined ? undefined : resolve(configurationFile),
    variables,
  }
}

/**
 * The Unix socket of the daemon on this machine. Guix also takes `file://` and `unix://`, and addresses of other machines' daemons, which are no use here.
 * @throws ConfigurationError `daemon-not-local`
 */
export function localDaemonSocket(environment: Environment): string {
  const path = environment.daemonAddress.replace(/^(file|unix):\/\/(?=\/)/, '')
  if (path.startsWith('/')) return path
  throw new ConfigurationError({
    code: 'daemon-not-local', step: 'looking for the local daemon', problem: 'GUIX_DAEMON_SOCKET does not name a socket of this machine', expected: 'an absolute path',
    seen: environment.daemonAddress, cure: 'Unset GUIX_DAEMON_SOCKET, or name the socket of the daemon on this machine',
  })
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

function homeDirectory(): string {
  try {
    return userInfo().homedir
  } catch {
    // No passwd entry for our uid. No `.ssh` is found in there, which is what such a user has.
    return '/var/empty'
  }
}
