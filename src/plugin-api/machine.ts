/** Where a value was written. Lines count from 1 and columns from 0, as in Guile's messages; both are printed as they are. */
export interface Location {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** A machine that builds for us, as a {@link MachineSource} describes it. */
export interface BuildMachine {
  /** Host name or address. */
  readonly name: string
  /** IP address to connect to, an IPv6 one perhaps with a zone (`fe80::1%eth0`); undefined: what `name` resolves to. The machine goes by its name everywhere else. */
  readonly address?: string | undefined
  /** TCP port of the SSH server, 1-65535. */
  readonly port: number
  /** System types it builds for, such as `x86_64-linux`. */
  readonly systems: readonly string[]
  /** Account on the machine. */
  readonly user: string
  /** Absolute path of the private key; undefined: the usual names in the home folder. */
  readonly privateKey?: string | undefined
  /** The machine's public host key in OpenSSH's one-line form. It is pinned: no other key is ever accepted. */
  readonly hostKey: string
  /** Compression algorithms for SSH in order of preference, comma-separated, `none` to forbid; undefined: not said. */
  readonly compression?: string | undefined
  /** 0-9; undefined: not said (3). */
  readonly compressionLevel?: number | undefined
  /** The daemon's Unix socket on the machine. */
  readonly daemonSocket: string
  /** Normalized load (1-minute load average by cores, at most 1) at or above which no build is sent; null: not checked. */
  readonly overloadThreshold: number | null
  /** Builds at a time. */
  readonly parallelBuilds: number
  /** Relative speed, a positive number. */
  readonly speed: number
  /** What `requiredSystemFeatures` of a derivation may ask for. */
  readonly features: readonly string[]
  /** Name of the source that listed it. */
  readonly source: string
  readonly location?: Location | undefined
  /**
   * For a machine that was found rather than written down: when it was last heard, in milliseconds since the epoch. Such a machine gives way to every one that is
   * written down and has its name and port, its host key or its address.
   */
  readonly heardAt?: number | undefined
  /** What the configuration file adds by machine name. */
  readonly settings?: MachineSettings | undefined
}

/** Per-machine settings of the configuration file, for what a machine source has no field for. */
export interface MachineSettings {
  /** Name of the transport; undefined: the default one. */
  readonly transport?: string | undefined
  /** `[USER@]HOST[:PORT]` to go through. */
  readonly proxyJump?: string | undefined
  /** Whether, for transports that run `ssh`, its configuration counts: true for the user's and the system's, a path for a file of its own; otherwise ignored. */
  readonly sshConfig?: boolean | string | undefined
  /** Allow algorithms that OpenSSH has switched off by default (for `lshd` and the like). */
  readonly legacyAlgorithms?: boolean | undefined
  /** Host keys accepted besides `hostKey`. */
  readonly hostKeys?: readonly string[] | undefined
  /** Not used for builds. */
  readonly disabled?: boolean | undefined
}

/** Something a person should know that did not stop us. */
export interface Warning {
  /** Stable, kebab-case. */
  readonly code: string
  readonly message: string
  readonly location?: Location | undefined
  /** An entry was left out because of it: `test` fails. */
  readonly dropped?: boolean | undefined
}
