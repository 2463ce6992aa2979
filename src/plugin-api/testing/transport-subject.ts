import type { BuildMachine, ConnectTimeouts, Transport } from '../index.js'

/**
 * A transport, one machine that it reaches, and the means to spoil the way there. The machine is this computer, seen through a server of the test's own: the suite
 * looks at processes by the numbers that its commands print, and listens on sockets that the other side is asked to reach. It needs a POSIX `sh`, `cat`, `printf`,
 * `yes`, `sleep` and `wc` at the other end and Linux's `/proc` at this one.
 */
export interface TransportSubject {
  readonly transport: Transport
  /** Can be reached as it is, with the key it names. It must allow a dozen channels at a time, which is more than sshd's own `MaxSessions`. */
  readonly machine: BuildMachine
  /** The `homeDirectory` of every attempt to connect: an absolute path, without keys in `.ssh/`. */
  readonly homeDirectory: string
  /** An absolute path, short enough for sockets, where either side can make and reach them. Unused without the capability `sockets`. */
  readonly sharedFolder: string
  /** Whether an aborted command that neither reads nor writes is ended too. If not, the suite ends it. */
  readonly signals: boolean
  /** Whether it learns which signal ended a command; if not, `exit` of the process must be rejected with `exit-unknown`. */
  readonly namesSignals: boolean
  /** MiB that a command is sent and sends back; 100 unless the server's own windows make that take minutes. */
  readonly bulkMebibytes?: number
  /** The shortest silence it can notice, where that is longer than three times 300 ms. */
  readonly keepAlive?: Pick<ConnectTimeouts, 'keepAliveMs' | 'keepAliveMisses'>
  /** Must be there unless the capability `ssh` is said to be lacking. */
  readonly ssh?: SshSubject
  /** Ends the server's side of all connections, as a crash would (SIGKILL). */
  breakConnections(): Promise<void>
  /** The server's side of all connections takes and sends nothing any more, but does not go away either (SIGSTOP). */
  silenceConnections(): Promise<void>
  /** Ends the server and removes what the subject has made. */
  stop(): Promise<void>
}

/** Wrong keys to try. */
export interface SshSubject {
  /** Paths of private keys that will not do: one that the server does not accept, one with a passphrase, one that cannot be decoded, and one that is not there. */
  readonly keys: { readonly unknown: string, readonly encrypted: string, readonly garbled: string, readonly missing: string }
  /** The host key of someone else, in OpenSSH's one-line form. */
  readonly otherHostKey: string
  /** What the transport looks for in the home folder when the machine names no private key; `.ssh/id_ed25519` unless said otherwise. */
  readonly usualKey?: string
}

/** What a transport, or the server at its other end, may lack. Tests of what is lacking are left out, but for one that it is really absent. */
export interface TransportCapabilities {
  /** Streams to Unix sockets on the machine. False: connections must not have `openSocket`; the machine is then used by commands alone. True unless said otherwise. */
  readonly sockets: boolean
  /**
   * SSH over TCP: `name`, `address`, `port`, `user`, `privateKey` and `hostKey` of the machine mean what they say, and the subject's `name`, if it has no `address`,
   * resolves to the server's. False for a way that knows its machine by other means, such as one into containers of this computer; no way over a network may leave out
   * the check of the host key. True unless said otherwise.
   */
  readonly ssh: boolean
}
