import { beforeGreeting } from 'guix-offload-ssh-common/before-greeting.js'
import type { Failures } from 'guix-offload-ssh-common/failures.js'
import type { Offer } from './algorithms.js'
import type { HostKey } from './host-key.js'
import type { UsualKeys } from 'guix-offload-ssh-common/private-key-file.js'
import type { PrivateKey } from './private-key.js'
import { disagreement, parseServerHello, type ServerHello } from './server-hello.js'

/** What we go into a handshake with. */
export interface Credentials {
  readonly pins: readonly HostKey[]
  readonly privateKeys: UsualKeys<PrivateKey>
  readonly offer: Offer
}

/** How far a handshake has come. */
export interface Progress {
  stage: 'greeting' | 'key exchange' | 'authentication'
  /** What the server has sent in the clear. */
  received: Buffer
  /** Private keys offered so far, for people. */
  readonly tried: string[]
  /** What the server would accept, as it said when it last refused. */
  methods: readonly string[] | undefined
}

/** SSH_DISCONNECT_* numbers (RFC 4253, 11.1) that mean: enough of these attempts. */
const givenUp = new Set<unknown>([2, 14])

/** What went wrong, in our terms. @param error - ssh2's; none if the connection just ended. */
export function handshakeFailure(failures: Failures, progress: Progress, credentials: Credentials, error?: Error & { readonly level?: string, readonly code?: unknown }): Error {
  const hello = parseServerHello(progress.received)
  switch (progress.stage) {
    case 'greeting':
      return beforeGreeting(failures, { text: hello.text }, {
        cause: error,
        cure: 'With many connections at once that is sshd\'s MaxStartups (10:30:100 by default) or PerSourcePenalties: raise it; the attempt is repeated later',
      })
    case 'key exchange':
      return inKeyExchange(failures, hello, credentials, error)
    case 'authentication': {
      // ssh2 puts the number of a disconnect message into `code`; system errors have a string there.
      if (error?.level === 'client-authentication' || givenUp.has(error?.code)) return refused(failures, progress, credentials, error)
      return failures.connectionLost('authenticating', error?.message, error)
    }
  }
}

function inKeyExchange(failures: Failures, { algorithms }: ServerHello, { offer }: Credentials, cause?: Error): Error {
  const none = algorithms === undefined ? undefined : disagreement(offer, algorithms)
  if (none === undefined) return failures.connectionLost('exchanging keys', cause?.message, cause)
  const legacy = failures.machine.settings?.legacyAlgorithms === true
  return failures.ofMachine({
    code: 'no-common-algorithm',
    step: 'exchanging keys',
    problem: `the two sides have no ${none.what} in common: we offer ${none.ours.join(', ')}; the server offers ${none.theirs.join(', ')}`,
    cause,
    cure: legacy ? 'Update the SSH server' : `Update the SSH server, or, for one such as lshd, set legacyAlgorithms for "${failures.machine.name}" in the configuration file`,
  })
}

function refused(failures: Failures, { tried, methods }: Progress, { privateKeys }: Credentials, cause?: Error): Error {
  const { user } = failures.machine
  const others = privateKeys.problems.length === 0 ? '' : `; not tried: ${privateKeys.problems.join('; ')}`
  const allowed = methods === undefined || methods.length === 0 ? '' : `; the server would take: ${methods.join(', ')}`
  return failures.ofMachine({
    code: 'authentication-refused',
    step: 'authenticating',
    problem: `the server does not accept our key for user ${user}`,
    seen: `tried ${tried.join(', ')}${others}${allowed}`,
    cause,
    cure: methods !== undefined && !methods.includes('publickey')
      ? 'Allow PubkeyAuthentication on the server'
      : `Put the public key into ~${user}/.ssh/authorized_keys there, and check the name of the user`,
  })
}
