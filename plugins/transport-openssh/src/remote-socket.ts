import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlClient } from './control-client.js'
import type { MasterSetup } from './master.js'

/**
 * A stream to a socket on the machine: the master listens on a socket in the private folder just long enough for us to connect, and passes it on.
 * There is no word when the other side has taken it; but a refusal closes ours after one round trip.
 * @param waitMs - How long to wait for that.
 * @returns undefined if it was closed
 */
export async function connectSocket(setup: MasterSetup, control: ControlClient, path: string, waitMs: number, cut: AbortSignal): Promise<Socket | undefined> {
  const { folder, plan } = setup
  const local = `${folder}/${plan.name}.${randomBytes(6).toString('hex')}`
  let socket: Socket | undefined
  try {
    await control.openForward(local, path)
    try {
      socket = connect({ path: local, allowHalfOpen: true })
      socket.on('error', () => undefined)
      await once(socket, 'connect', { signal: cut })
      // The listener goes before it has taken us if told so at once; the answer comes after it has looked at its sockets.
      await control.check()
    } finally {
      await control.closeForward(local, path).catch(() => undefined)
      await rm(local, { force: true })
    }
    const closed = await isClosed(socket, waitMs, cut)
    if (cut.aborted) throw new Error('aborted')
    if (!closed) return socket
    socket.destroy()
    return undefined
  } catch (error) {
    socket?.destroy()
    throw error
  }
}

/** Whether it ends within that time without a byte. */
async function isClosed(socket: Socket, ms: number, signal: AbortSignal): Promise<boolean> {
  if (socket.readableEnded || socket.destroyed) return true
  const news = new AbortController()
  const settled = Promise.race([
    once(socket, 'readable', { signal: news.signal }).then(() => socket.readableLength === 0, () => true),
    once(socket, 'end', { signal: news.signal }).then(() => true, () => true),
    once(socket, 'close', { signal: news.signal }).then(() => true, () => true),
    sleep(ms, false, { signal: AbortSignal.any([signal, news.signal]) }).catch(() => false),
  ])
  const closed = await settled
  news.abort()
  socket.removeAllListeners('readable')
  return closed
}
