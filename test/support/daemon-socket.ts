/** Scripted daemons behind a real Unix socket: the first connection gets the first script, and so on. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ScriptedDaemon, type Step } from './daemon-script.js'

export interface DaemonSocket {
  readonly path: string
  /** One for each connection so far. */
  readonly daemons: readonly ScriptedDaemon[]
  /** What the clients did that no daemon would have taken. */
  readonly complaints: readonly unknown[]
  close(): Promise<void>
}

export async function daemonSocket(...scripts: readonly (readonly Step[])[]): Promise<DaemonSocket> {
  const folder = await mkdtemp(join(tmpdir(), 'daemon-socket-'))
  const path = join(folder, 'socket')
  const daemons: ScriptedDaemon[] = []
  const complaints: unknown[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    const daemon = new ScriptedDaemon(scripts[daemons.length] ?? [{ end: true }])
    daemons.push(daemon)
    sockets.add(socket)
    socket.on('error', () => daemon.close())
    socket.on('close', () => daemon.close())
    socket.on('data', (bytes) => {
      daemon.write(bytes).catch((error: unknown) => {
        complaints.push(error)
        socket.destroy()
      })
    })
    void speak(daemon, socket)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    path,
    daemons,
    complaints,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true })
    },
  }
}

async function speak(daemon: ScriptedDaemon, socket: Socket): Promise<void> {
  try {
    for (let bytes = await daemon.read(); bytes !== undefined; bytes = await daemon.read()) socket.write(bytes)
    socket.end()
  } catch {
    socket.destroy()
  }
}
