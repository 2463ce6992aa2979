import { MachineError, OffloadError } from '../errors/offload-error.js'
import type { Connection } from '../plugin-api/index.js'
import { type Rung, type RungMemory, rungs } from '../state/rung-memory.js'
import { labelOf } from './label.js'
import type { RemoteStore } from './remote-store.js'
import { SocketStore, type SocketStoreOptions } from './socket-store.js'

export interface OpenOptions extends Omit<SocketStoreOptions, 'openChannel' | 'rung'> {
  readonly memory: RungMemory
  /** The rungs that may be used, best first; all of them unless this is said. */
  readonly allowed?: readonly Rung[] | undefined
}

/** The machine forbids that way or lacks what it needs; anything else that goes wrong would go wrong on every rung. */
const refusals: ReadonlySet<string> = new Set(['forwarding-refused', 'bridge-unavailable', 'guix-not-found'])

/**
 * Opens the store of a machine on the best rung that works, and remembers which. A rung is left for the next one only where the machine forbids it or lacks what it needs: a
 * daemon that does not run is no better reached in another way. Only that the server cannot connect to the socket is not its last word: it says the same when it forbids
 * it, and does not know of a GUIX_DAEMON_SOCKET in the account's environment. The next rung knows: it settles the matter.
 * @throws OffloadFailure `socket-unavailable` (no daemon listens), `forwarding-refused`, `bridge-unavailable` or `guix-not-found` (the last rung tried
 * is refused too), and what opening a channel or greeting a daemon throws
 */
export async function openRemoteStore(connection: Connection, options: OpenOptions): Promise<RemoteStore> {
  const { machine } = connection
  const { memory, allowed = rungs, log, signal } = options
  const remembered = await memory.recall(machine)
  const failures: OffloadError[] = []
  for (const rung of inOrder(allowed, remembered)) {
    try {
      const store = await openRung(rung, connection, options)
      if (rung !== remembered) await memory.remember(machine, rung)
      return store
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof OffloadError)) throw error
      if (!refusals.has(error.code) && !(rung === 'socket' && error.code === 'socket-unavailable')) throw error
      log?.debug(`'${machine.name}': no way to its daemon by ${rung}: ${error.message}`)
      if (rung === remembered) await memory.forget(machine)
      failures.push(error)
    }
  }
  throw noRung(connection, failures)
}

/** What is remembered first, then from the best one on. */
function inOrder(allowed: readonly Rung[], remembered: Rung | undefined): readonly Rung[] {
  return [...new Set([...allowed.filter((rung) => rung === remembered), ...allowed])]
}

async function openRung(rung: Rung, connection: Connection, options: OpenOptions): Promise<RemoteStore> {
  switch (rung) {
    case 'socket':
      return SocketStore.open(connection, { ...options, rung })
    case 'bridge':
      return SocketStore.open(connection, { ...options, rung, openChannel: (await import('./bridge.js')).openBridge })
    case 'commands':
      return (await import('./command-store.js')).CommandStore.open(connection, options)
  }
}

/** Says what would help on any of them; the code is that of the last, on which least is needed. */
function noRung(connection: Connection, failures: readonly OffloadError[]): OffloadError {
  const last = failures.at(-1)
  if (last === undefined) throw new RangeError('no rung is allowed')
  const doubted = failures.find(({ code }) => code === 'socket-unavailable')
  if (doubted !== undefined) return doubted
  if (failures.length === 1) return last
  const cures = [...new Set(failures.map(({ report }) => report.cure).filter((cure) => cure !== undefined))]
  return new MachineError({
    ...last.report,
    machine: labelOf(connection.machine),
    problem: failures.map(({ report }) => report.problem).join('; '),
    seen: undefined,
    cure: cures.join('. Or: '),
    cause: failures[0],
  })
}
