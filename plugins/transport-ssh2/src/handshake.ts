/**
 * From an open TCP connection to an authenticated session. ssh2's errors are plain ones with a `level`, several may come for one cause, and what the server
 * said is not in them: they are turned into ours here, from the stage we were in and the bytes the server sent in the clear.
 */
import type { Socket } from 'node:net'
import type { ConnectContext } from 'guix-offload/plugin-api'
import type { AuthenticationType, Client, NegotiatedAlgorithms } from 'ssh2'
import { abortReason, type Failures } from 'guix-offload-ssh-common/failures.js'
import { keepAliveInterval } from 'guix-offload-ssh-common/silence-watch.js'
import { describeKey, hostKeyMismatch } from './host-key.js'
import { handshakeFailure, type Credentials, type Progress } from './handshake-failure.js'
import { ignoreAnnouncedHostKeys, mendSignature } from './ssh2-internals.js'
import { helloLimit, parseServerHello } from './server-hello.js'
import { wholeSignature } from './whole-signature.js'

export interface Session {
  readonly client: Client
  readonly socket: Socket
  /** One round trip, from the request for the authentication service to its answer, for which a server has nothing to compute. */
  readonly roundTripMs: number
  /** Its software and version. */
  readonly software: string
  readonly negotiated: NegotiatedAlgorithms
  readonly hostKey: string
  /** The private key that was accepted. */
  readonly privateKey: string
  /** A later key exchange showed a key that is not pinned. */
  refusal(): Error | undefined
}

export function handshake(client: Client, socket: Socket, failures: Failures, credentials: Credentials, { timeouts, signal }: ConnectContext): Promise<Session> {
  const { pins, privateKeys, offer } = credentials
  const progress: Progress = { stage: 'greeting', received: Buffer.alloc(0), tried: [], methods: undefined }
  let refusal: Error | undefined
  let hostKey = ''
  let negotiated: NegotiatedAlgorithms | undefined
  let asked = 0
  let roundTripMs = 0

  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      socket.destroy()
      return reject(abortReason(signal))
    }
    if (socket.destroyed) return reject(handshakeFailure(failures, progress, credentials))
    const release = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.off('data', onData)
      client.off('error', onError).off('close', onClose).off('ready', onReady)
    }
    const fail = (error: Error): void => {
      release()
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(abortReason(signal))
    const onData = (chunk: Buffer): void => {
      if (progress.stage === 'authentication' || progress.received.length > helloLimit) return
      progress.received = Buffer.concat([progress.received, chunk])
      if (progress.stage === 'greeting' && parseServerHello(progress.received).software !== undefined) progress.stage = 'key exchange'
    }
    const onError = (error: Error): void => fail(refusal ?? handshakeFailure(failures, progress, credentials, error))
    const onClose = (): void => fail(refusal ?? handshakeFailure(failures, progress, credentials))
    const onReady = (): void => {
      release()
      resolve({
        client,
        socket,
        roundTripMs,
        software: parseServerHello(progress.received).software ?? '',
        negotiated: negotiated as NegotiatedAlgorithms,
        hostKey,
        privateKey: progress.tried.at(-1) ?? '',
        refusal: () => refusal,
      })
    }
    const timer = setTimeout(() => fail(tookTooLong(failures, progress, timeouts.handshakeMs)), timeouts.handshakeMs)
    signal.addEventListener('abort', onAbort)

    const hostVerifier = (blob: Buffer): boolean => {
      hostKey = describeKey(blob)
      if (pins.some((pin) => pin.blob.equals(blob))) {
        mendSignature(client, (signature) => wholeSignature(blob, signature))
        return true
      }
      refusal = hostKeyMismatch(pins, blob, failures)
      return false
    }
    const queue = [...privateKeys.keys]
    const authHandler = (methods: AuthenticationType[] | null) => {
      if (progress.tried.length === 0) roundTripMs = performance.now() - asked
      progress.methods = methods ?? progress.methods
      const next = queue.shift()
      if (next === undefined) return false
      progress.tried.push(`${next.path} (${next.description})`)
      return { type: 'publickey', username: failures.machine.user, key: next.key }
    }
    client.once('handshake', (algorithms) => {
      negotiated = algorithms
      progress.stage = 'authentication'
      asked = performance.now()
    })
    // ssh2 may emit an error at any time in the life of a client, and several for one cause; without a listener each would end the process.
    client.on('error', () => undefined).on('error', onError).on('close', onClose).on('ready', onReady)
    client.connect({
      sock: socket,
      username: failures.machine.user,
      algorithms: offer,
      hostVerifier,
      // ssh2 takes the next method as its value, and false for the end.
      authHandler,
      readyTimeout: 0,
      keepaliveInterval: keepAliveInterval(timeouts.keepAliveMs, timeouts.keepAliveMisses),
      keepaliveCountMax: Infinity,
    })
    ignoreAnnouncedHostKeys(client)
    socket.on('data', onData)
  })
}

const waitingFor: Readonly<Record<Progress['stage'], { readonly step: string, readonly problem: string }>> = {
  'greeting': { step: 'waiting for the SSH server', problem: 'the machine took the connection but no SSH server spoke' },
  'key exchange': { step: 'exchanging keys', problem: 'the SSH server spoke but did not complete the key exchange' },
  'authentication': { step: 'authenticating', problem: 'the SSH server did not answer to the authentication' },
}

function tookTooLong(failures: Failures, { stage }: Progress, handshakeMs: number): Error {
  const { step, problem } = waitingFor[stage]
  return failures.ofMachine({
    code: 'handshake-timeout',
    step,
    problem: `${problem} within ${handshakeMs / 1000} s`,
    cure: 'Is it overloaded or suspended, or is something else listening on that port?',
  })
}
