import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { RemoteProcess } from '../../index.js'
import { codeOf, failureOf, never, usual, type TransportBench } from './bench.js'
import { mebibyte, output, zeros } from './streams.js'

/** A connection from its beginning to its end, whoever ends it. */
export function endingTests(bench: TransportBench): void {
  describe('a connection', () => {
    it('knows its machine, round trip and what was negotiated', async () => {
      const connection = await bench.connect()
      expect(connection.machine.name).toBe(bench.subject.machine.name)
      expect(connection.roundTripMs).toBeGreaterThan(0)
      expect(connection.roundTripMs).toBeLessThan(usual.handshakeMs)
      expect(Object.keys(connection.details)).not.toEqual([])
    })

    it('is not opened when aborted before', async () => {
      const reason = new Error('too late')
      await expect(bench.attempt({}, {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    })

    it('closes twice without complaint, ends its channels, and takes no new ones', async () => {
      const connection = await bench.connect()
      const process = await connection.exec(['cat'], { signal: never })
      await Promise.all([connection.close(), connection.close()])
      await connection.close()
      expect(await connection.closed).toBeUndefined()
      expect((await failureOf(process.exit)).code).toBe('connection-closed')
      expect((await failureOf(connection.exec(['true'], { signal: never }))).code).toBe('connection-closed')
    })

    it('fails loudly on every channel when the server goes away', async () => {
      const connection = await bench.connect()
      const process = await connection.exec(['cat'], { signal: never })
      const reading = failureOf(buffer(process.stdout))
      await bench.subject.breakConnections()
      const begin = performance.now()
      const codes = [await reading, await failureOf(process.exit), await connection.closed].map(codeOf)
      expect(codes).toEqual(['connection-lost', 'connection-lost', 'connection-lost'])
      expect(performance.now() - begin).toBeLessThan(usual.keepAliveMs)
      expect((await failureOf(connection.exec(['true'], { signal: never }))).code).toBe('connection-lost')
    })

    it.each([
      ['idle', () => undefined],
      ['sending', (process: RemoteProcess) => void pipeline(Readable.from(zeros(1024 * mebibyte)), process.stdin).catch(() => undefined)],
    ])('notices within its keep-alive time that the other side has fallen silent while %s', async (_, load) => {
      const keepAlive = bench.subject.keepAlive ?? { keepAliveMs: 300, keepAliveMisses: 3 }
      const connection = await bench.connect({}, keepAlive)
      const process = await connection.exec(['cat'], { signal: never })
      const reading = failureOf(buffer(process.stdout.pipe(new PassThrough({ highWaterMark: mebibyte }))).catch(() => process.exit))
      process.stdout.resume()
      load(process)
      await bench.subject.silenceConnections()
      const begin = performance.now()
      const opening = failureOf(connection.exec(['true'], { signal: never }))
      expect(codeOf(await connection.closed)).toBe('connection-lost')
      // Far from the minutes that TCP would take, however busy the host.
      expect(performance.now() - begin).toBeLessThan(3 * keepAlive.keepAliveMs * keepAlive.keepAliveMisses)
      expect((await opening).code).toBe('connection-lost')
      void reading
      await bench.subject.breakConnections()
    })

    it('stays up while idle for longer than its keep-alive time', async () => {
      const connection = await bench.connect({}, { keepAliveMs: 100, keepAliveMisses: 2 })
      expect(await Promise.race([connection.closed, sleep(1000, 'still up')])).toBe('still up')
      const process = await connection.exec(['echo', 'hello'], { signal: never })
      expect((await output(process)).toString()).toBe('hello\n')
    })
  })
}
