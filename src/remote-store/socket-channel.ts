import { MachineError } from '../errors/offload-error.js'
import type { Connection } from '../plugin-api/index.js'
import type { ByteChannel } from '../protocol/byte-channel.js'
import { DuplexChannel } from './duplex-channel.js'
import { labelOf } from './label.js'

/**
 * The daemon's socket as a channel of the connection: no command is started.
 * @throws OffloadFailure `forwarding-refused` also when the transport or server has no such channels; what {@link Connection.openSocket} throws
 */
export async function openSocketChannel(connection: Connection, { signal }: { readonly signal: AbortSignal }): Promise<ByteChannel> {
  const { machine } = connection
  if (connection.openSocket === undefined) {
    throw new MachineError({
      code: 'forwarding-refused', machine: labelOf(machine), step: 'reaching its guix-daemon', subject: machine.daemonSocket,
      problem: 'this transport or server cannot open sockets on the machine',
    })
  }
  return new DuplexChannel(await connection.openSocket(machine.daemonSocket, { signal }))
}
