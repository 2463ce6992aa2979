import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { connectToDaemon } from '../../../src/local-store/connect-to-daemon.js'

/** Lets one client wait, and more than the kernel promises: two. */
async function crowdedServer() {
  const folder = await mkdtemp(join(tmpdir(), 'crowded-'))
  const path = join(folder, 'socket')
  const server = createServer((socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen({ path, backlog: 1 }, resolve))
  return {
    path,
    async [Symbol.asyncDispose]() {
      server.close()
      await rm(folder, { recursive: true })
    },
  }
}

it('waits for its turn where the queue is full', async () => {
  await using server = await crowdedServer()
  const plain = Array.from({ length: 8 }, () => new Promise<string>((resolve) => {
    const socket = createConnection(server.path)
    socket.once('connect', () => resolve('connected'))
    socket.once('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? ''))
    socket.once('connect', () => socket.destroy())
  }))
  // Otherwise nothing would be shown here.
  expect(await Promise.all(plain)).toContain('EAGAIN')

  const sockets = await Promise.all(Array.from({ length: 8 }, () => connectToDaemon(server.path, undefined)))
  expect(sockets.map(({ readyState }) => readyState)).toEqual(Array.from({ length: 8 }, () => 'open'))
  for (const socket of sockets) socket.destroy()
})

it('waits no longer than its signal', async () => {
  await using server = await crowdedServer()
  const reason = new Error('no more')
  const controller = new AbortController()
  const waiting = Array.from({ length: 8 }, () => connectToDaemon(server.path, controller.signal))
  controller.abort(reason)
  const outcomes = await Promise.allSettled(waiting)
  expect(outcomes.filter(({ status }) => status === 'rejected').map((outcome) => (outcome as PromiseRejectedResult).reason as unknown)).toEqual(Array.from({ length: 8 }, () => reason))
})

it('says at once what else is wrong', async () => {
  await expect(connectToDaemon('/nonexistent/socket', undefined)).rejects.toMatchObject({ code: 'ENOENT' })
})
