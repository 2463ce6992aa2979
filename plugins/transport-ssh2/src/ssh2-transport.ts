import type { Socket } from 'node:net'
import type { BuildMachine, ConnectContext, Connection, PluginHost, Transport } from 'guix-offload/plugin-api'
import { offerFor } from './algorithms.js'
import { dial } from 'guix-offload-ssh-common/dial.js'
import { Failures } from 'guix-offload-ssh-common/failures.js'
import { handshake, type Session } from './handshake.js'
import { pinnedKeys } from './host-key.js'
import { loadPrivateKeys } from './private-key.js'
import { Ssh2Connection } from './ssh2-connection.js'
import { nativeCrypto } from './ssh2-internals.js'

/** The transport over ssh2, an SSH client in JavaScript: no process to start, and sockets on the machine as streams. */
export function ssh2Transport(host: PluginHost): Transport {
  return {
    name: 'ssh2',
    connect: (machine, context) => connect(host, machine, context),
  }
}

async function connect(host: PluginHost, machine: BuildMachine, context: ConnectContext): Promise<Connection> {
  const failures = new Failures(host.errors, machine)
  const pins = pinnedKeys(machine, failures)
  if (machine.settings?.proxyJump !== undefined) {
    throw failures.ofConfiguration({
      code: 'setting-unsupported',
      step: 'connecting',
      problem: 'transport ssh2 connects directly and knows no proxyJump',
      cure: `Set transport: openssh for "${machine.name}" in the configuration file`,
    })
  }
  const dialing = new AbortController()
  const signal = AbortSignal.any([context.signal, dialing.signal])
  const socketDue = dial(failures, context.timeouts.connectMs, signal)
  try {
    // The module is loaded and the key read while the network is at work.
    const [socket, { ssh2, privateKeys }] = await Promise.all([socketDue, prepare(failures, context)])
    const native = nativeCrypto()
    const offer = offerFor(machine, pins, native, host.log)
    const address = socket.remoteAddress ?? ''
    const session = await handshake(new ssh2.Client(), socket, failures, { pins, privateKeys, offer }, context)
    return new Ssh2Connection(session, failures, context.timeouts, details(session, address, native))
  } catch (error) {
    dialing.abort()
    void socketDue.then((socket: Socket) => socket.destroy(), () => undefined)
    throw error
  }
}

async function prepare(failures: Failures, context: ConnectContext) {
  const { default: ssh2 } = await import('ssh2')
  return { ssh2, privateKeys: await loadPrivateKeys(failures, context.homeDirectory, ssh2.utils.parseKey) }
}

function details({ software, hostKey, privateKey, negotiated }: Session, address: string, native: boolean): Record<string, string> {
  const { cs } = negotiated
  return {
    server: software,
    address,
    hostKey,
    privateKey,
    keyExchange: negotiated.kex,
    cipher: cs.cipher,
    ...(cs.mac === '' ? {} : { mac: cs.mac }),
    compression: cs.compress,
    nativeCrypto: native ? 'yes' : 'no',
  }
}
