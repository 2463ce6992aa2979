/** This plugin's section of the configuration file: `plugins: { dns-sd: … }`. */

export interface Options {
  /** Whether the local network is asked. */
  readonly mdns: boolean
  /** Names of network interfaces; undefined: all but the loopback one. */
  readonly interfaces?: readonly string[] | undefined
  /** DNS domains that are asked. */
  readonly domains: readonly string[]
  /** A file in the form of known_hosts; undefined: the usual one, which need not be there. */
  readonly knownHosts?: string | undefined
  readonly fingerprints: readonly string[]
  /** Public keys, `TYPE BASE64`. */
  readonly certificateAuthorities: readonly string[]
  /** Absolute path; undefined: the usual names. */
  readonly privateKey?: string | undefined
  /** For machines that do not say. */
  readonly user: string
  /** By what the speed of a machine is multiplied for systems that it emulates; 0: it is not asked to. */
  readonly emulatedSpeed: number
}

export const defaults: Options = { mdns: true, domains: [], fingerprints: [], certificateAuthorities: [], user: 'root', emulatedSpeed: 0.1 }
