/** All that decides what a control master is like. Two connections share one if, and only if, all of it is the same: its name is the digest. */
import { createHash } from 'node:crypto'
import type { BuildMachine, ConnectContext, Log } from 'guix-offload/plugin-api'
import { hostKeyAlias, type HostKey } from './host-key.js'
import { quoteWord } from 'guix-offload-ssh-common/quote.js'

export interface MasterPlan {
  /** 16 hexadecimal digits. */
  readonly name: string
  readonly machine: BuildMachine
  readonly pins: readonly HostKey[]
  readonly compression: boolean
  /** Seconds between two keep-alive messages, and how many may go unanswered. */
  readonly alive: { readonly interval: number, readonly count: number }
  readonly connectSeconds: number
  /** Where `.ssh/` is. */
  readonly homeDirectory: string
  /** The user's ssh_config: true for the usual files, a path for another. */
  readonly sshConfig: true | string | undefined
}

/** Files in the private folder. All start with the plan's name, at most 16 characters after it, or ssh could not listen there. */
export interface MasterPaths {
  readonly socket: string
  readonly lock: string
  readonly facts: string
  readonly knownHosts: string
  /** What the ssh that goes through the jump host has to say. */
  readonly jumpLog: string
}

/** How long a master stays after the last of its clients has gone. */
export const persistSeconds = 60

export function planFor(machine: BuildMachine, pins: readonly HostKey[], { timeouts, homeDirectory }: ConnectContext, log: Log): MasterPlan {
  const setting = machine.settings?.sshConfig
  const sshConfig = setting === false ? undefined : setting
  const parts = { machine, pins, compression: wantsCompression(machine, log), alive: keepAlive(timeouts.keepAliveMs, timeouts.keepAliveMisses), sshConfig }
  const identity = JSON.stringify([
    machine.name, machine.address, machine.port, machine.user, machine.privateKey ?? homeDirectory,
    machine.settings?.proxyJump, machine.settings?.legacyAlgorithms === true, sshConfig,
    pins.map(({ base64 }) => base64), parts.compression, parts.alive,
  ])
  const name = createHash('sha256').update(identity).digest('hex').slice(0, 16)
  return { ...parts, name, connectSeconds: Math.max(1, Math.ceil(timeouts.connectMs / 1000)), homeDirectory }
}

export function pathsIn(folder: string, name: string): MasterPaths {
  const start = `${folder}/${name}`
  return { socket: start, lock: `${start}.lock`, facts: `${start}.json`, knownHosts: `${start}.hosts`, jumpLog: `${start}.jump` }
}

/**
 * ssh counts in whole seconds and gives up when one more message than the count is due, so that silence is noticed after interval times (count + 1):
 * at most the time asked for, from two seconds on.
 */
export function keepAlive(keepAliveMs: number, misses: number): { readonly interval: number, readonly count: number } {
  const interval = Math.max(1, Math.floor((keepAliveMs * misses) / (misses + 1) / 1000))
  return { interval, count: Math.max(1, Math.floor((keepAliveMs * misses) / 1000 / interval) - 1) }
}

const compressions = ['none', 'zlib@openssh.com', 'zlib']

/** The first choice counts: ssh knows yes, with none as a second choice, and no. */
function wantsCompression(machine: BuildMachine, log: Log): boolean {
  const names = (machine.compression ?? 'none').split(',').map((name) => name.trim()).filter((name) => name !== '')
  const unknown = names.filter((name) => !compressions.includes(name))
  if (unknown.length > 0) log.warn(`${machine.name}: compression ${unknown.join(', ')} is not known and not used; known are ${compressions.join(', ')}`)
  return (names.find((name) => compressions.includes(name)) ?? 'none') !== 'none'
}

const setting = (name: string, value: string | number | boolean): string[] => ['-o', `${name}=${typeof value === 'boolean' ? (value ? 'yes' : 'no') : value}`]

/** Values of options that are paths or the like: `%` and `~` have a meaning there, and spaces end a word. */
const literal = (path: string): string => `"${path.replaceAll('%', '%%')}"`

/** Never ask, never use what was not named. */
const unattended = (privateKeys: readonly string[]): string[] => [
  ...setting('BatchMode', true),
  ...setting('IdentitiesOnly', true),
  ...setting('IdentityAgent', 'none'),
  ...setting('AddKeysToAgent', false),
  ...setting('PreferredAuthentications', 'publickey'),
  ...setting('StrictHostKeyChecking', true),
  ...setting('UpdateHostKeys', false),
  ...setting('CheckHostIP', false),
  ...privateKeys.flatMap((path) => setting('IdentityFile', literal(path))),
]

const configuration = ({ sshConfig }: MasterPlan): string[] => (sshConfig === true ? [] : ['-F', sshConfig ?? 'none'])

/**
 * Starts a master that goes into the background once it is logged in and listens. What comes first counts, so that no ssh_config changes any of it.
 */
export function masterArguments(plan: MasterPlan, paths: MasterPaths, privateKeys: readonly string[], program: string): string[] {
  const { machine, alive, sshConfig } = plan
  const jump = machine.settings?.proxyJump
  return [
    ...configuration(plan),
    // Our own error output: which step it is at, what was negotiated, and what went wrong.
    '-v', '-f', '-N', '-T', '-M', '-S', paths.socket.replaceAll('%', '%%'),
    ...setting('ControlPersist', persistSeconds),
    ...unattended(privateKeys),
    ...setting('HostKeyAlias', hostKeyAlias),
    ...(machine.address === undefined ? [] : setting('HostName', machine.address.replaceAll('%', '%%'))),
    ...setting('UserKnownHostsFile', literal(paths.knownHosts)),
    ...setting('GlobalKnownHostsFile', '/dev/null'),
    ...setting('VerifyHostKeyDNS', false),
    ...setting('FingerprintHash', 'sha256'),
    ...setting('ServerAliveInterval', alive.interval),
    ...setting('ServerAliveCountMax', alive.count),
    ...setting('ConnectTimeout', plan.connectSeconds),
    ...setting('ConnectionAttempts', 1),
    ...setting('Compression', plan.compression),
    ...setting('ClearAllForwardings', true),
    ...setting('ForwardAgent', false),
    ...setting('ForwardX11', false),
    ...setting('Tunnel', false),
    ...setting('PermitLocalCommand', false),
    ...setting('RemoteCommand', 'none'),
    ...setting('EscapeChar', 'none'),
    ...(machine.settings?.legacyAlgorithms === true ? legacy : sshConfig === undefined ? setting('Ciphers', '^aes128-gcm@openssh.com') : []),
    ...(jump === undefined ? [] : setting('ProxyCommand', jumpCommand(plan, paths, jump, privateKeys, program))),
    // An alias may have a port of its own.
    ...(sshConfig !== undefined && machine.port === 22 ? [] : ['-p', String(machine.port)]),
    '-l', machine.user,
    '--', machine.name,
  ]
}

const legacy = [
  ...setting('KexAlgorithms', '+diffie-hellman-group14-sha1'),
  ...setting('HostKeyAlgorithms', '+ssh-rsa'),
  // The name that old and new versions know.
  ...setting('PubkeyAcceptedKeyTypes', '+ssh-rsa'),
  ...setting('Ciphers', '+aes256-cbc'),
  ...setting('MACs', '+hmac-sha1'),
]

/**
 * What `-J` would do, but as unattended as the rest and with its messages apart. The jump host has to be in known_hosts; the machine behind it is
 * checked against its pinned key end to end in any case.
 */
function jumpCommand(plan: MasterPlan, paths: MasterPaths, jump: string, privateKeys: readonly string[], program: string): string {
  const { user, host, port } = parseJump(jump)
  const words = [
    program, ...configuration(plan), '-E', paths.jumpLog, ...setting('LogLevel', 'ERROR'),
    ...unattended(privateKeys), ...setting('ConnectTimeout', plan.connectSeconds),
    ...(plan.sshConfig === undefined ? setting('UserKnownHostsFile', literal(`${plan.homeDirectory}/.ssh/known_hosts`)) : []),
    ...setting('ControlPath', 'none'), ...setting('ClearAllForwardings', true),
    ...(user === undefined ? [] : ['-l', user]), ...(port === undefined ? [] : ['-p', port]), '-W',
  ]
  return `${words.map((word) => quoteWord(word).replaceAll('%', '%%')).join(' ')} '[%h]:%p' -- ${quoteWord(host).replaceAll('%', '%%')}`
}

export function parseJump(jump: string): { readonly user: string | undefined, readonly host: string, readonly port: string | undefined } {
  const [, user, bracketed, plain, port] = /^(?:([^@]*)@)?(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(jump) ?? []
  return { user, host: bracketed ?? plain ?? jump, port }
}

/** Runs a command through the master; without it there must be no connection at all. */
export function commandArguments(paths: MasterPaths, logFile: string, machine: BuildMachine, line: string): string[] {
  return [
    '-F', 'none', '-vv', '-E', logFile, '-T', '-S', paths.socket.replaceAll('%', '%%'),
    ...setting('ControlMaster', false), ...setting('ProxyCommand', 'exit 1'), ...setting('BatchMode', true), ...setting('EscapeChar', 'none'),
    '-l', machine.user, '--', machine.name, line,
  ]
}
