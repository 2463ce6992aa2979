/**
 * The few things we need of ssh2 that it has but does not export: whether its compiled cryptography is in use, window messages and signals for a channel, its
 * answers to global requests, and the signature that a key exchange ends with.
 * Everything is looked at before it is used, and done without if a later version has changed it.
 */
import { createRequire } from 'node:module'
import type { Client, ClientChannel } from 'ssh2'

/** How ssh2 1.17 keeps a channel. */
interface ChannelInside {
  readonly incoming: { window: number }
  readonly outgoing: { readonly id: number, readonly state: string }
  readonly _client: {
    readonly _protocol: {
      channelWindowAdjust(channel: number, amount: number): void
      signal(channel: number, name: string): void
    }
  }
}

function inside(channel: ClientChannel): ChannelInside | undefined {
  const { incoming, outgoing, _client: client } = channel as unknown as Partial<ChannelInside>
  const known = typeof incoming?.window === 'number'
    && typeof outgoing?.id === 'number'
    && typeof outgoing.state === 'string'
    && typeof client?._protocol?.channelWindowAdjust === 'function'
    && typeof client._protocol.signal === 'function'
  return known ? (channel as unknown as ChannelInside) : undefined
}

/** Once its connection has ended ssh2 throws at whatever is sent, though only with compression; the end itself is reported elsewhere. */
export function attempt(send: () => void): void {
  try {
    send()
  } catch {
    // Nobody is left to send to.
  }
}

/** True while the channel's number is ours to use. */
const open = (channel: ChannelInside): boolean => channel.outgoing.state === 'open' || channel.outgoing.state === 'eof'

/**
 * Takes the receive window out of ssh2's hands. Its own is 2 MiB whatever the distance, and when standard output waits for its reader it is
 * renewed by standard error's, without bound.
 * @returns the window in force and a way to add to it; undefined: left to ssh2.
 */
export function takeOverWindow(channel: ClientChannel): { readonly granted: number, grant(bytes: number): void } | undefined {
  const internals = inside(channel)
  if (internals === undefined) return undefined
  const granted = internals.incoming.window
  // Never at the mark where ssh2 renews it.
  internals.incoming.window = Number.MAX_SAFE_INTEGER
  return {
    granted,
    grant(bytes) {
      if (open(internals)) attempt(() => internals._client._protocol.channelWindowAdjust(internals.outgoing.id, bytes))
    },
  }
}

/** Asks the server to signal the channel's command; ssh2's own `signal` does nothing once our side has sent its end of file. */
export function sendSignal(channel: ClientChannel, name: string): void {
  const internals = inside(channel)
  if (internals !== undefined && open(internals)) attempt(() => internals._client._protocol.signal(internals.outgoing.id, name))
}

/** Whether ssh2's compiled cryptography (`sshcrypto.node`) was found and loaded. */
export function nativeCrypto(): boolean {
  try {
    const crypto: unknown = createRequire(import.meta.url)('ssh2/lib/protocol/crypto.js')
    return typeof crypto === 'object' && crypto !== null && 'bindingAvailable' in crypto && crypto.bindingAvailable === true
  } catch {
    return false
  }
}

type GlobalRequest = (protocol: unknown, name: string, wantReply: boolean, data: unknown) => void

/**
 * Passes over the server's list of its host keys, sent after authentication for clients that learn keys. Ours are pinned; ssh2 would have the server prove each of
 * them, with one signature per key, before it turns to our first channel.
 */
export function ignoreAnnouncedHostKeys(client: Client): void {
  const { _protocol: protocol } = client as unknown as { readonly _protocol?: { readonly _handlers?: { GLOBAL_REQUEST?: GlobalRequest } } }
  const handlers = protocol?._handlers
  const answer = handlers?.GLOBAL_REQUEST
  if (handlers === undefined || typeof answer !== 'function') return
  handlers.GLOBAL_REQUEST = (self, name, wantReply, data) => {
    if (name !== 'hostkeys-00@openssh.com' || wantReply) answer(self, name, wantReply, data)
  }
}

/** While the host key is being looked at, the server's signature has come and has not been checked yet: it may be brought into the form that the check wants. */
export function mendSignature(client: Client, mend: (signature: Buffer) => Buffer): void {
  const { _protocol: protocol } = client as unknown as { readonly _protocol?: { readonly _kex?: { _sig?: unknown } } }
  const exchange = protocol?._kex
  if (exchange !== undefined && Buffer.isBuffer(exchange._sig)) exchange._sig = mend(exchange._sig)
}
