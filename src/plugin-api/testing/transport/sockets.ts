import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { Connection } from '../../index.js'
import { failureOf, never, type TransportBench } from './bench.js'
import { mebibyte, readAll, settled, within, zeros } from './streams.js'

/** Streams to Unix sockets on the machine. */
export function socketTests(bench: TransportBench): void {
  describe('sockets', () => {
    let server: Server
    let path: string
    const accepted: Socket[] = []
    let number = 0
    const listen = async (handler: (socket: Socket) => void): Promise<void> => {
      path = join(bench.subject.sharedFolder, `socket-${number++}`)
      server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => {
        accepted.push(socket)
        socket.on('error', () => undefined)
        handler(socket)
      }).listen({ path, readableAll: true, writableAll: true })
      await once(server, 'listening')
    }
    const openSocket = async (connection: Connection, signal = never) => {
      if (connection.openSocket === undefined) throw new Error('no sockets over this transport')
      return connection.openSocket(path, { signal })
    }
    afterEach(async () => {
      for (const socket of accepted.splice(0)) socket.destroy()
      if (server.listening) {
        server.close()
        await once(server, 'close')
      }
      await rm(path, { force: true })
    })

    it('carry bytes both ways and end each way by itself', async () => {
      await listen((socket) => {
        void readAll(socket).then((all) => socket.end(createHash('sha256').update(all).digest('hex')))
      })
      const stream = await openSocket(await bench.connect())
      const input = randomBytes(100_000)
      stream.end(input)
      expect((await readAll(stream)).toString()).toBe(createHash('sha256').update(input).digest('hex'))
    })

    it('answer small messages promptly', async () => {
      await listen((socket) => socket.pipe(socket))
      const connection = await bench.connect()
      const stream = await openSocket(connection)
      const times: number[] = []
      for (let round = 0; round < 20; round++) {
        const begin = performance.now()
        stream.write(Buffer.from([round]))
        const [answer] = (await once(stream, 'data')) as [Buffer]
        times.push(performance.now() - begin)
        expect(answer).toEqual(Buffer.from([round]))
      }
      // Nagle's algorithm alone would cost 40 ms a round; a busy host delays some, not most of them.
      expect(times.sort((a, b) => a - b)[10]).toBeLessThan(2 * connection.roundTripMs + 30)
      stream.destroy()
    })

    it('hold a sender back whose receiver does not read', async () => {
      await listen((socket) => socket.pause())
      const stream = await openSocket(await bench.connect())
      let given = 0
      stream.on('error', () => undefined)
      const flow = pipeline(function* () {
        for (const chunk of zeros(128 * mebibyte)) {
          given += chunk.length
          yield chunk
        }
      }, stream, { end: false }).catch(() => undefined)
      await settled(() => given)
      expect(given).toBeLessThan(24 * mebibyte)
      stream.destroy()
      await flow
    })

    it('hold the machine back when we do not read', async () => {
      let sent = 0
      await listen((socket) => {
        const more = (): void => {
          while (sent < 128 * mebibyte && !socket.destroyed) {
            sent += mebibyte
            if (!socket.write(Buffer.alloc(mebibyte))) return void socket.once('drain', more)
          }
          socket.end()
        }
        more()
      })
      const stream = await openSocket(await bench.connect())
      await settled(() => sent)
      expect(sent).toBeLessThan(24 * mebibyte)
      let received = 0
      for await (const chunk of stream as AsyncIterable<Buffer>) received += chunk.length
      expect(received).toBe(sent)
      expect(sent).toBe(128 * mebibyte)
    })

    it('end when the other side closes, and refuse what is written then', async () => {
      await listen((socket) => socket.end('bye', () => socket.destroy()))
      const stream = await openSocket(await bench.connect())
      expect((await readAll(stream)).toString()).toBe('bye')
      const failure = await new Promise<Error | null | undefined>((resolve) => {
        const attempt = (): void => void stream.write(Buffer.alloc(1000), (error) => (error === null || error === undefined ? setTimeout(attempt, 10) : resolve(error)))
        attempt()
      })
      expect(failure).toBeInstanceOf(Error)
    })

    it('are closed on both sides at once when aborted', async () => {
      let ended = false
      await listen((socket) => socket.once('end', () => { ended = true }).resume())
      const controller = new AbortController()
      const stream = await openSocket(await bench.connect(), controller.signal)
      const reason = new Error('enough')
      const failed = once(stream, 'error')
      controller.abort(reason)
      expect(await failed).toEqual([reason])
      await within(2000, async () => ended)
    })

    it('are unavailable where nothing listens', async () => {
      await listen(() => undefined)
      server.close()
      // Where the other side does not say so it may take a while to show.
      const failure = await failureOf(openSocket(await bench.connect()).then((stream) => buffer(stream)))
      expect(failure.code).toBe('socket-unavailable')
      expect(failure.message).toContain(path)
    })
  })
}
