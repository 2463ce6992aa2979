import type { Duplex, Readable, Writable } from 'node:stream'
import type { BuildMachine } from './machine.js'

/** All times in milliseconds. */
export interface ConnectTimeouts {
  /** Name look-up and connection. */
  readonly connectMs: number
  /** From the open connection to the end of authentication. */
  readonly handshakeMs: number
  /** Between two keep-alive messages on an idle connection. */
  readonly keepAliveMs: number
  /** Unanswered keep-alive messages after which the connection counts as lost. */
  readonly keepAliveMisses: number
}

export interface ConnectContext {
  /** Aborting it ends the attempt; once connected it has no effect, use {@link Connection.close}. */
  readonly signal: AbortSignal
  readonly timeouts: ConnectTimeouts
  /** Where `.ssh/` is, from the passwd entry of the user we run as. */
  readonly homeDirectory: string
}

export interface ChannelContext {
  /** Aborting it closes the channel at once, on both sides; its streams end with an error. */
  readonly signal: AbortSignal
}

/** Reaches a build machine. */
export interface Transport {
  readonly name: string
  /**
   * Connects, checks the host key against the pinned one and authenticates.
   * @throws OffloadFailure: `name-not-found`, `connection-refused`, `connect-timeout`, `network-unreachable`, `handshake-timeout`, `host-key-mismatch`,
   * `private-key-unreadable`, `private-key-encrypted`, `private-key-invalid`, `private-key-missing`, `authentication-refused`, `no-common-algorithm`, `connection-lost`
   */
  connect(machine: BuildMachine, context: ConnectContext): Promise<Connection>
}

/** One authenticated session; any number of channels. Every error on it is an OffloadFailure that names the machine. */
export interface Connection {
  readonly machine: BuildMachine
  /** Measured on the established session. */
  readonly roundTripMs: number
  /** What was negotiated, for people: server software, cipher, compression. */
  readonly details: Readonly<Record<string, string>>
  /** Fulfilled with the reason once the connection is gone; with undefined after {@link Connection.close}. Never rejected. */
  readonly closed: Promise<Error | undefined>
  /**
   * Starts a command. The words are passed to the remote shell so that each arrives unchanged.
   * @throws OffloadFailure: `channel-refused`, `connection-lost`
   */
  exec(command: readonly string[], context: ChannelContext): Promise<RemoteProcess>
  /**
   * Opens a stream to a Unix socket on the machine. Absent: not possible with this transport or server.
   * @throws OffloadFailure: `forwarding-refused` (the server forbids it), `socket-unavailable` (nothing listens there), `connection-lost`
   */
  openSocket?(path: string, context: ChannelContext): Promise<Duplex>
  /** Ends every channel and the session. Safe to call twice. */
  close(): Promise<void>
}

export interface RemoteProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** Fulfilled when the command has ended; rejected with an OffloadFailure when the connection is lost before. */
  readonly exit: Promise<RemoteExit>
}

export interface RemoteExit {
  /** Null if a signal ended it. */
  readonly code: number | null
  /** Without the `SIG`, e.g. `KILL`. */
  readonly signal: string | null
}
