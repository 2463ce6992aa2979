import type { OffloadFailure } from 'guix-offload/plugin-api'
import { beforeGreeting } from 'guix-offload-ssh-common/before-greeting.js'
import type { Failures } from 'guix-offload-ssh-common/failures.js'
import { hostKeyMismatch, type HostKey } from './host-key.js'
import type { LoginProgress } from './login-progress.js'
import type { PrivateKey } from './private-key.js'
import { disagreement, type ServerHello } from './server-hello.js'

/** What a login was tried with, and what is known of its end. */
export interface Attempt {
  readonly failures: Failures
  readonly pins: readonly HostKey[]
  readonly privateKey: PrivateKey
  readonly progress: LoginProgress
  /** What the server says to others; it may take a moment longer than lsh's own attempt. */
  hello(): Promise<ServerHello>
}

/** Why lsh ended before it was logged in. @param findHostKey - Asks which host key the machine shows */
export async function loginFailure(attempt: Attempt, findHostKey: () => Promise<Buffer | undefined>): Promise<OffloadFailure> {
  const { failures, progress, pins, privateKey } = attempt
  switch (progress.trouble) {
    case 'host key':
      return hostKeyMismatch(pins, await findHostKey(), failures)
    case 'no common algorithm':
      return noCommonAlgorithm(failures, await attempt.hello(), progress.remark)
    case 'login refused':
      return refused(failures, privateKey)
    case 'private key':
      return failures.ofConfiguration({
        code: 'private-key-invalid',
        step: 'reading the private key',
        problem: 'lsh cannot use it',
        subject: privateKey.path,
        cure: 'Make a new one with `ssh-keygen -t rsa -N \'\'`',
      })
    case undefined:
      return progress.stage === 'connecting'
        ? beforeGreeting(failures, await attempt.hello(), { remark: progress.remark, cure: 'It may turn away connections when there are many at once; the attempt is repeated later' })
        : failures.connectionLost(stepOf(progress), progress.remark)
  }
}

const steps: Readonly<Record<LoginProgress['stage'], readonly [step: string, problem: string]>> = {
  'connecting': ['waiting for the SSH server', 'the machine took the connection but no SSH server spoke'],
  'key exchange': ['exchanging keys', 'the SSH server spoke but did not complete the key exchange'],
  'authentication': ['authenticating', 'the SSH server did not answer to the authentication'],
  'logged in': ['opening the gateway', 'lsh logged in but its gateway did not answer'],
}

const stepOf = (progress: LoginProgress): string => steps[progress.stage][0]

export function tookTooLong(failures: Failures, progress: LoginProgress, handshakeMs: number): OffloadFailure {
  const [step, problem] = steps[progress.stage]
  return failures.ofMachine({
    code: 'handshake-timeout',
    step,
    problem: `${problem} within ${handshakeMs / 1000} s`,
    cure: 'Is it overloaded or suspended, or is something else listening on that port?',
  })
}

function noCommonAlgorithm(failures: Failures, { algorithms, software }: ServerHello, remark: string | undefined): OffloadFailure {
  const none = algorithms === undefined ? undefined : disagreement(algorithms)
  return failures.ofMachine({
    code: 'no-common-algorithm',
    step: 'exchanging keys',
    problem: none === undefined
      ? 'lsh and the server have no algorithms in common'
      : `the two sides have no ${none.what} in common: lsh offers ${none.ours.join(', ')}; the server offers ${none.theirs.join(', ')}`,
    seen: none === undefined ? remark : undefined,
    cure: /OpenSSH/.test(software ?? '')
      ? `Set transport: ssh2 or openssh for "${failures.machine.name}" in the configuration file: its server is OpenSSH, and lsh is too old for it`
      : 'Use another transport for this machine, or update its SSH server',
  })
}

function refused(failures: Failures, { path, description }: PrivateKey): OffloadFailure {
  const { user } = failures.machine
  const root = user === 'root' ? '; lshd lets root in only with --root-login' : ''
  return failures.ofMachine({
    code: 'authentication-refused',
    step: 'authenticating',
    problem: `the server does not accept our key for user ${user}`,
    seen: `tried ${path} (${description})`,
    cure: `Authorise the public key there (as ${user}: ssh-conv < id_rsa.pub > key && lsh-authorize key), and check the name of the user${root}`,
  })
}
