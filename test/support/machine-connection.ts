/** A connection to a machine of the bed without a network: commands run there, and end of file is all they see of an abort, as with sshd. */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { MachineError } from '../../src/errors/offload-error.js'
import type { Connection, RemoteExit } from '../../src/plugin-api/index.js'
import { socketPath } from '../testbed/daemon.js'
import type { Machine } from '../testbed/machine.js'
import { buildMachine } from './plugin-host.js'

export function machineConnection(machine: Machine, daemonSocket = socketPath): Connection {
  const socketFailed = (cause: unknown) =>
    new MachineError({ code: 'socket-unavailable', machine: machine.name, step: 'opening a socket', problem: 'nothing listens', cause })
  return {
    machine: buildMachine({ name: machine.name, port: 22, user: 'root', hostKey: machine.hostKey, daemonSocket }),
    roundTripMs: 0.1,
    details: {},
    closed: new Promise(() => undefined),
    close: () => Promise.resolve(),
    exec(command, { signal }) {
      signal.throwIfAborted()
      const child = machine.spawn(command, { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe', buffer: false, reject: false, encoding: 'buffer' })
      const { stdin, stdout, stderr } = child
      const exit = new Promise<RemoteExit>((resolve, reject) => {
        void child.then(({ exitCode }) => resolve({ code: exitCode ?? null, signal: null }))
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error)
          for (const stream of [stdin, stdout, stderr]) stream.destroy(signal.reason as Error)
        })
      })
      exit.catch(() => undefined)
      for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined)
      return Promise.resolve({ stdin, stdout, stderr, exit })
    },
    async openSocket(path, { signal }) {
      const stream = createConnection({ path: join(machine.rootDir, path), allowHalfOpen: true })
      await once(stream, 'connect').catch((error: unknown) => Promise.reject(socketFailed(error)))
      signal.addEventListener('abort', () => stream.destroy(signal.reason as Error))
      return stream
    },
  }
}
