import type { Duplex, Readable, Writable } from 'node:stream'
import type { BuildMachine } from './machine.js'

/** All times in milliseconds. */
export interface ConnectTimeouts {
  /** Name look-up and connection. */
  readonly connectMs: number
  /** From the open connection to the end of authentication. */
  readonly handshakeMs: number
  /** At most this long between two keep-alive messages on an idle connection. */
  readonly keepAliveMs: number
  /** A connection on which nothing at all arrives for `keepAliveMs` times this number counts as lost; so many keep-alive messages have gone unanswered then. */
  readonly keepAliveMisses: number
}

/** What one connection is made with. */
export interface ConnectContext {
  /** Aborting it ends the attempt; once connected it has no effect, use {@link Connection.close}. */
  readonly signal: AbortSignal
  readonly timeouts: ConnectTimeouts
  /** Where `.ssh/` is, from the passwd entry of the user we run as. */
  readonly homeDirectory: string
}

/** What one command or stream is started with. */
export interface ChannelContext {
  /**
   * Aborting it closes the channel at once, on both sides; what was pending on it and its streams fail with the signal's reason. A command gets
   * SIGTERM where the server can pass it on (OpenSSH cannot before 9.8 when logged in as root, nor where it forces a command); everywhere
   * it sees the end of its input and can no longer write. One that does neither has to be given a reason to look.
   */
  readonly signal: AbortSignal
}

/** Reaches a build machine. */
export interface Transport {
  readonly name: string
  /**
   * Connects to the machine's `address`, or else to what its `name` resolves to, checks the host key against the pinned one and authenticates.
   * @throws OffloadFailure: `name-not-found`, `connection-refused`, `connect-timeout`, `network-unreachable`, `server-busy` (it turned us away for now),
   * `not-an-ssh-server`, `handshake-timeout`, `host-key-invalid`, `host-key-mismatch`, `private-key-unreadable`, `private-key-encrypted`, `private-key-invalid`,
   * `private-key-missing`, `authentication-refused`, `no-common-algorithm`, `connection-lost`, `setting-unsupported`; of transports
   * that start a program besides `program-missing`, `no-private-folder` (for its sockets or keys), `no-account` (the user we run as has no passwd entry), `ssh-config-invalid`;
   * after an abort the signal's reason
   */
  connect(machine: BuildMachine, context: ConnectContext): Promise<Connection>
}

/** One authenticated session; any number of channels. Every error on it is an OffloadFailure that names the machine, but for an abort's reason. */
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
   * @throws OffloadFailure: `channel-refused`, `connection-lost`, `connection-closed` (by {@link Connection.close})
   */
  exec(command: readonly string[], context: ChannelContext): Promise<RemoteProcess>
  /**
   * Opens a stream to a Unix socket on the machine. Absent: not possible with this transport or server.
   * @throws OffloadFailure: `forwarding-refused` (the server forbids it; to be retried `later` if it may only be that too many clients wait there), `socket-unavailable`
   * (nothing listens there), `connection-lost`, `connection-closed`; the first two may come from the stream instead, to whoever reads, where nobody says so at once
   */
  openSocket?(path: string, context: ChannelContext): Promise<Duplex>
  /** Ends every channel and the session. Safe to call twice. */
  close(): Promise<void>
}

/** Its two outputs share one flow-control window: read or destroy both, or the command stands still. A destroyed output is thrown away. */
export interface RemoteProcess {
  /** Writing after the command has ended fails with `channel-closed`. */
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /**
   * Fulfilled when the command has ended; rejected when the connection is lost before, when the channel was aborted, or when the server says nothing about
   * the end (`exit-unknown`). No harm if nobody listens.
   */
  readonly exit: Promise<RemoteExit>
}

/** How a command ended. */
export interface RemoteExit {
  /** Null if a signal ended it. */
  readonly code: number | null
  /** Without the `SIG`, e.g. `KILL`. */
  readonly signal: string | null
}
