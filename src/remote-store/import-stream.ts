import type { Connection } from '../plugin-api/index.js'
import { atMachine } from './at-machine.js'
import { guixFailure, runGuix } from './guix-command.js'
import { labelOf } from './label.js'
import { WatchedSource } from './watched.js'

export interface ImportStreamOptions {
  readonly signal: AbortSignal
  /** Milliseconds without any progress after which it is given up; undefined: never. */
  readonly stallMs?: number | undefined
}

/**
 * Sends a bundle as one stream into `guix archive --import`: a command has to be started, but nothing waits for a round trip from then on.
 * @throws OffloadFailure as {@link RemoteStore.importBundle} does, and `guix-not-found`, `command-failed`
 */
export async function importStream(connection: Connection, bundle: AsyncIterable<Uint8Array>, { signal, stallMs }: ImportStreamOptions): Promise<void> {
  const step = 'sending store items'
  const input = new WatchedSource(bundle)
  try {
    const result = await runGuix(connection, { args: ['archive', '--import'], step, signal, limitMs: stallMs, input })
    if (result.exit.code !== 0) throw guixFailure(connection.machine, step, result)
  } catch (error) {
    // What went wrong while we read our own store is not the machine's.
    throw error === input.failure ? error : atMachine(error, { machine: labelOf(connection.machine), step })
  }
}
