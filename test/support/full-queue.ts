/** A socket that listens, and whose queue of clients is full: nobody is let in until there is room. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'

/** Connects until the kernel takes no more; resolves with those that wait. */
export async function fillQueue(path: string): Promise<Socket[]> {
  const waiting: Socket[] = []
  for (;;) {
    const socket = createConnection(path)
    try {
      await once(socket, 'connect')
      waiting.push(socket)
      socket.on('error', () => undefined)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return waiting
      throw error
    }
  }
}

const server = `require('node:net').createServer().listen({ path: process.argv[1], backlog: 1, readableAll: true, writableAll: true }, () => process.send('listening'))`

/** A server there that never lets anybody in. */
export async function fullSocket(path: string): Promise<AsyncDisposable> {
  const child = spawn(process.execPath, ['-e', server, path], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  await once(child, 'message')
  child.kill('SIGSTOP')
  const waiting = await fillQueue(path)
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of waiting) socket.destroy()
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
