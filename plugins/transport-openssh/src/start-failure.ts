import type { Failures } from 'guix-offload-ssh-common/failures.js'
import { hostKeyMismatch, type HostKey } from './host-key.js'
import type { Stage, StartLog } from './start-log.js'

export interface FailedStart {
  readonly failures: Failures
  readonly pins: readonly HostKey[]
  readonly log: StartLog
  /** Why some private keys were not tried. */
  readonly keyProblems: readonly string[]
  /** Message of the ssh that goes through the jump host. */
  readonly jumpMessage: string
  readonly connectMs: number
}

type Meaning = (start: FailedStart, match: RegExpExecArray) => Error

const busyCure = 'With many connections at once that is sshd\'s MaxStartups (10:30:100 by default) or PerSourcePenalties: raise it. '
  + 'The attempt is repeated later'

function busy({ failures, log }: FailedStart): Error {
  const text = log.greeting.join(' ').trim()
  if (text !== '' && !/MaxStartups|Not allowed at this time/i.test(text)) return foreign(failures, text)
  return failures.ofMachine({
    code: 'server-busy', step: 'waiting for the SSH server', problem: 'the SSH server closed the connection before it said anything',
    seen: text === '' ? undefined : JSON.stringify(text), cure: busyCure,
  }, 'later')
}

function foreign(failures: Failures, text: string): Error {
  return failures.ofProtocol({
    code: 'not-an-ssh-server', step: 'waiting for the SSH server', problem: 'what listens on that port does not speak SSH',
    expected: 'a line that starts with SSH-2.0-', seen: JSON.stringify(text.slice(0, 120)), cure: 'Check the port in the machine\'s entry',
  })
}

function connecting(code: string, problem: (reason: string) => string, cure?: string): Meaning {
  return ({ failures, log }, match) => {
    const address = log.facts.address
    return failures.ofMachine({
      code, step: 'connecting', problem: problem(match[1] ?? ''), cure,
      seen: address === undefined || address === failures.machine.name ? undefined : `address ${address}`,
    })
  }
}

function authenticationRefused({ failures, log, keyProblems }: FailedStart, [text, methods]: RegExpExecArray): Error {
  const { user } = failures.machine
  const tried = log.tried.length === 0 ? 'no key was offered' : `tried ${log.tried.join(', ')}`
  const others = keyProblems.length === 0 ? '' : `; not tried: ${keyProblems.join('; ')}`
  return failures.ofMachine({
    code: 'authentication-refused',
    step: 'authenticating',
    problem: `the server does not accept our key for user ${user}`,
    seen: `${tried}${others}; ${methods === undefined ? text : `the server would take: ${methods.split(',').join(', ')}`}`,
    cure: methods !== undefined && !methods.split(',').includes('publickey')
      ? 'Allow PubkeyAuthentication on the server'
      : `Put the public key into ~${user}/.ssh/authorized_keys there, and check the name of the user`,
  })
}

const badConfiguration: Meaning = ({ failures, log }) =>
  failures.ofConfiguration({
    code: 'ssh-config-invalid',
    step: 'starting ssh',
    problem: 'ssh does not take its configuration',
    seen: log.messages.join('; '),
    cure: 'Mend the ssh_config that sshConfig names for this machine',
  })

const noAccount: Meaning = ({ failures }, [text]) =>
  failures.ofConfiguration({
    code: 'no-account',
    step: 'starting ssh',
    problem: 'ssh only works for users with an account',
    seen: text,
    cure: 'Give the user we run as an entry in the passwd file, or use transport: ssh2',
  })

const nameNotFound: Meaning = ({ failures }, [, reason]) =>
  failures.ofMachine({
    code: 'name-not-found',
    step: 'looking up the name',
    problem: 'the name cannot be resolved',
    seen: reason,
    cure: 'Check the name in the machine\'s entry, and the name service here',
  })

const nothingInCommon: Meaning = ({ failures }, [, what = '', offer = '']) => {
  const { name, settings } = failures.machine
  const hint = settings?.legacyAlgorithms === true ? '' : `, or, for one such as lshd, set legacyAlgorithms for "${name}" in the configuration file`
  return failures.ofMachine({
    code: 'no-common-algorithm',
    step: 'exchanging keys',
    problem: `the two sides have no ${what} in common; the server offers ${offer.split(',').join(', ')}`,
    cure: `Update the SSH server${hint}`,
  })
}

const unreachable = connecting('network-unreachable', (reason) => `there is no way to the machine: ${reason}`, 'Is the machine switched on, and the network up?')
const refused = connecting('connection-refused', () => 'nothing listens on that port', 'Is sshd running there, and on that port?')
const otherHostKey: Meaning = ({ failures, pins, log }) => hostKeyMismatch(pins, log.facts.hostKey, failures)
const otherProtocol: Meaning = ({ failures, log }, [text]) => foreign(failures, log.greeting.join(' ') || text)

/** The first that matches one of the messages counts. */
const meanings: readonly (readonly [RegExp, Meaning])[] = [
  [/Bad (?:configuration option|owner or permissions)|terminating, \d+ bad configuration options/, badConfiguration],
  [/^\S+ line \d+: (?:Bad|Unsupported|keyword|missing) /, badConfiguration],
  [/^No user exists for uid \d+/, noAccount],
  [/^ssh: Could not resolve hostname (.*)$/, nameNotFound],
  [/^ssh: connect to .* port \d+: Connection refused$/, refused],
  [/^ssh: connect to .* port \d+: (?:Connection|Operation) timed out$/, ({ failures, connectMs }) => connectTimeout(failures, connectMs)],
  [/^ssh: connect to .* port \d+: (.*)$/, unreachable],
  [/^Connection timed out during banner exchange/, ({ failures, connectMs }) => handshakeTimeout(failures, 'greeting', connectMs)],
  [/invalid characters|client sent invalid protocol identifier|Protocol major versions differ|Invalid SSH identification string/, otherProtocol],
  [/^Unable to negotiate with .*: no matching (.*?) found\. Their offer: (.*)$/, nothingInCommon],
  [/^(?:Host key verification failed\.|No \S+ host key is known for .*)$|REMOTE HOST IDENTIFICATION HAS CHANGED/, otherHostKey],
  [/^\S+: Permission denied \((.*)\)\.?$/, authenticationRefused],
  [/Too many authentication failures/, authenticationRefused],
]

/** What went wrong with an ssh that ended before it was logged in. */
export function startFailure(start: FailedStart): Error {
  const { failures, log, jumpMessage } = start
  if (jumpMessage !== '') return throughJump(failures, jumpMessage)
  for (const [pattern, meaning] of meanings) {
    for (const message of log.messages) {
      const match = pattern.exec(message)
      if (match !== null) return meaning(start, match)
    }
  }
  const last = log.messages.at(-1)
  switch (log.stage) {
    case 'connecting':
      return failures.ofMachine({ code: 'connection-lost', step: 'connecting', problem: 'ssh gave up', seen: last })
    case 'greeting':
      return log.proxied && log.greeting.length === 0
        ? failures.ofMachine({ code: 'connection-lost', step: 'connecting', problem: 'the way through the jump host or proxy ended', seen: last })
        : busy(start)
    default:
      return failures.connectionLost(log.stage === 'key exchange' ? 'exchanging keys' : 'authenticating', last)
  }
}

/** The jump host's troubles are the machine's, as far as anyone who wants to build there is concerned. */
function throughJump(failures: Failures, text: string): Error {
  const jump = failures.machine.settings?.proxyJump ?? 'the jump host'
  const report = { step: `going through ${jump}`, problem: text.split('\n').map((line) => line.trim()).filter((line) => line !== '').join('; ') }
  if (/Host key verification failed|host key is known|IDENTIFICATION HAS CHANGED/.test(text)) {
    return failures.ofTrust({
      ...report,
      code: 'host-key-mismatch',
      cure: `Put the jump host's key into known_hosts of the user we run as, or /etc/ssh/ssh_known_hosts`,
    })
  }
  const code = /Permission denied/.test(text) ? 'authentication-refused'
    : /Could not resolve/.test(text) ? 'name-not-found'
      : /Connection refused|open failed/.test(text) ? 'connection-refused'
        : /timed out/.test(text) ? 'connect-timeout'
          : /exchange_identification|Connection (?:closed|reset) by/.test(text) ? 'server-busy' : 'connection-lost'
  return failures.ofMachine({ ...report, code }, code === 'server-busy' ? 'later' : undefined)
}

export function connectTimeout(failures: Failures, connectMs: number): Error {
  return failures.ofMachine({
    code: 'connect-timeout', step: 'connecting', problem: `no connection within ${connectMs / 1000} s`, cure: 'Is the machine switched on, and may we reach that port?',
  })
}

const waitingFor: Readonly<Record<Stage, { readonly step: string, readonly problem: string }>> = {
  'connecting': { step: 'connecting', problem: 'no connection' },
  'greeting': { step: 'waiting for the SSH server', problem: 'the machine took the connection but no SSH server spoke' },
  'key exchange': { step: 'exchanging keys', problem: 'the SSH server spoke but did not complete the key exchange' },
  'authentication': { step: 'authenticating', problem: 'the SSH server did not answer to the authentication' },
  'done': { step: 'starting the control master', problem: 'ssh was logged in but did not go on' },
}

export function handshakeTimeout(failures: Failures, stage: Stage, handshakeMs: number): Error {
  const { step, problem } = waitingFor[stage]
  return failures.ofMachine({
    code: 'handshake-timeout', step, problem: `${problem} within ${handshakeMs / 1000} s`, cure: 'Is it overloaded or suspended, or is something else listening on that port?',
  })
}
