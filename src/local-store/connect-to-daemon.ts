import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** guix-daemon forks for each client: a queue that has not moved for so long is that of a daemon that hangs. */
const patienceMs = 30_000

/**
 * Waits for its turn while the daemon's queue is full, as programs do whose connects block: guix-daemon lets five clients wait (nix/nix-daemon/guix-daemon.cc), and of the hooks that start
 * together the next one's connect, which does not block, ends with EAGAIN.
 */
export async function connectToDaemon(path: string, signal: AbortSignal | undefined): Promise<Socket> {
  const giveUp = performance.now() + patienceMs
  for (;;) {
    const socket = createConnection(path)
    try {
      await once(socket, 'connect', { signal })
      return socket
    } catch (error) {
      socket.destroy()
      signal?.throwIfAborted()
      if (!isQueueFull(error) || performance.now() > giveUp) throw error
    }
    // Not all of them at the same time.
    await sleep(5 + 10 * Math.random())
  }
}

const isQueueFull = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EAGAIN'
