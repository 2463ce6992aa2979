import { expect } from 'vitest'
import type { BuildMachine, ConnectContext, Connection, ConnectTimeouts, OffloadFailure } from '../../index.js'
import type { SshSubject, TransportSubject } from '../transport-subject.js'

export const never: AbortSignal = new AbortController().signal
export const usual: ConnectTimeouts = { connectMs: 5000, handshakeMs: 10_000, keepAliveMs: 15_000, keepAliveMisses: 4 }

/** The subject, which is there once the tests run, and the connections to its machine. */
export class TransportBench {
  private made: TransportSubject | undefined
  private readonly open = new Set<Connection>()

  constructor(private readonly makeSubject: () => Promise<TransportSubject>) {}

  get subject(): TransportSubject {
    if (this.made === undefined) throw new Error('the subject is made before the first test')
    return this.made
  }

  get ssh(): SshSubject {
    if (this.subject.ssh === undefined) throw new Error('the subject must have `ssh` unless the capability is absent')
    return this.subject.ssh
  }

  async start(): Promise<void> {
    this.made = await this.makeSubject()
  }

  /** Whoever calls it closes what comes of it. */
  attempt(changes: Partial<BuildMachine> = {}, timeouts: Partial<ConnectTimeouts> = {}, context: Partial<ConnectContext> = {}): Promise<Connection> {
    const { transport, machine, homeDirectory } = this.subject
    return transport.connect({ ...machine, ...changes }, { signal: never, homeDirectory, timeouts: { ...usual, ...timeouts }, ...context })
  }

  async connect(...parameters: Parameters<TransportBench['attempt']>): Promise<Connection> {
    const connection = await this.attempt(...parameters)
    this.open.add(connection)
    return connection
  }

  /** The failure of an attempt, which must be one of ours and name the machine. */
  async refusal(...parameters: Parameters<TransportBench['attempt']>): Promise<OffloadFailure> {
    const failure = await failureOf(this.attempt(...parameters))
    expect(failure.message).toContain(parameters[0]?.name ?? this.subject.machine.name)
    return failure
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.open].map((connection) => connection.close()))
    this.open.clear()
  }
}

export async function failureOf(promise: Promise<unknown>): Promise<OffloadFailure> {
  const error = await promise.then(() => new Error('it succeeded'), (reason: unknown) => reason)
  expect(error).toMatchObject({ report: { code: expect.any(String) as string } })
  return error as OffloadFailure
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}
