import type { BuildMachine, ConnectContext, Connection, PluginHost, Transport } from 'guix-offload/plugin-api'
import { dial } from 'guix-offload-ssh-common/dial.js'
import { Failures } from 'guix-offload-ssh-common/failures.js'
import { describeKey, hostAcl, pinnedKeys, type HostKey } from './host-key.js'
import { login, type Session } from './login.js'
import { LoginProgress } from './login-progress.js'
import { LshConnection } from './lsh-connection.js'
import { loadPrivateKey, type PrivateKey } from './private-key.js'
import { findLsh } from './program.js'
import { HelloListener } from './server-hello.js'
import { canBeSocketName, makeWorkFolder } from './work-folder.js'

/**
 * The transport over GNU lsh: one `lsh --gateway` for each connection, over which any number of commands run. Host authentication is always strict, against the pinned
 * key alone.
 */
export function lshTransport(host: PluginHost): Transport {
  return {
    name: 'lsh',
    connect: (machine, context) => connect(host, machine, context),
  }
}

async function connect(host: PluginHost, machine: BuildMachine, context: ConnectContext): Promise<Connection> {
  const failures = new Failures(host.errors, machine)
  const pins = pinnedKeys(machine, failures)
  refuseSettings(failures)
  const dialing = new AbortController()
  const signal = AbortSignal.any([context.signal, dialing.signal])
  const socketDue = dial(failures, context.timeouts.connectMs, signal)
  try {
    const [socket, privateKey, program] = await Promise.all([socketDue, loadPrivateKey(failures, context.homeDirectory), findLsh(failures, context.homeDirectory)])
    const listener = new HelloListener(socket)
    try {
      return await open({ host, failures, pins, privateKey, program, listener, address: socket.remoteAddress ?? machine.address ?? machine.name }, context)
    } finally {
      listener.stop()
    }
  } catch (error) {
    dialing.abort()
    void socketDue.then((socket) => socket.destroy(), () => undefined)
    throw error
  }
}

/** How long a failed attempt waits for what the server says to a second connection. */
const helloMs = 1000

interface Ingredients {
  readonly host: PluginHost
  readonly failures: Failures
  readonly pins: readonly HostKey[]
  readonly privateKey: PrivateKey
  readonly program: string
  readonly listener: HelloListener
  readonly address: string
}

async function open(ingredients: Ingredients, { signal, timeouts }: ConnectContext): Promise<Connection> {
  const { host, failures, pins, privateKey, program, listener, address } = ingredients
  const { user, port, name } = failures.machine
  // The address that answered: lsh would try all of a name's one after the other, for minutes each.
  const target = canBeSocketName(address, user) ? address : name
  if (!canBeSocketName(target, user)) {
    throw failures.ofConfiguration({
      code: 'setting-unsupported',
      step: 'connecting',
      problem: `lsh's gateway takes no names with % or / in them, nor very long ones: ${JSON.stringify(target)}, user ${JSON.stringify(user)}`,
      cure: `Set transport: ssh2 and legacyAlgorithms: true for "${name}" in the configuration file`,
    })
  }
  const folder = await makeWorkFolder(hostAcl(pins, target), target, user)
  const progress = new LoginProgress()
  try {
    const session = await login({
      options: {
        program, target, port, user,
        hostAcl: folder.hostAcl,
        environment: folder.environment,
        identity: privateKey.identity,
        compression: compressionFor(failures.machine, host),
        messages: 'verbose',
      },
      folder,
      attempt: () => ({ failures, pins, privateKey, progress, hello: () => listener.hello(helloMs) }),
      handshakeMs: timeouts.handshakeMs,
      signal,
    })
    return new LshConnection(session, failures, timeouts, details(session, ingredients))
  } catch (error) {
    await folder.remove().catch(() => undefined)
    throw error
  }
}

function refuseSettings(failures: Failures): void {
  const { name, settings } = failures.machine
  if (settings?.proxyJump === undefined) return
  throw failures.ofConfiguration({
    code: 'setting-unsupported',
    step: 'connecting',
    problem: 'transport lsh connects directly and knows no proxyJump',
    cure: `Set transport: openssh for "${name}" in the configuration file`,
  })
}

/** Nothing said: none. lsh knows zlib alone, in the form that starts before authentication. */
function compressionFor({ name, compression }: BuildMachine, host: PluginHost): string | undefined {
  const wanted = (compression ?? 'none').split(',').map((word) => word.trim()).filter((word) => word !== '')
  const unknown = wanted.filter((word) => !['none', 'zlib', 'zlib@openssh.com'].includes(word))
  if (unknown.length > 0) host.log.warn(`${name}: compression ${unknown.join(', ')} is not known to lsh and not used; known are zlib, none`)
  return wanted[0]?.startsWith('zlib') === true ? 'zlib' : 'none'
}

function details({ progress: { negotiated } }: Session, { pins, privateKey, address, program }: Ingredients): Record<string, string> {
  return {
    client: program,
    server: negotiated.server ?? '',
    address,
    hostKey: pins.map((pin) => describeKey(pin.blob)).join(' or '),
    privateKey: `${privateKey.path} (${privateKey.description})`,
    keyExchange: negotiated.keyExchange ?? '',
    cipher: negotiated.cipher ?? '',
    mac: negotiated.mac ?? '',
    compression: negotiated.compression ?? 'none',
  }
}
