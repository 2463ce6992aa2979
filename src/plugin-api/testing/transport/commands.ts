import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable, type Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import type { Connection, RemoteProcess } from '../../index.js'
import { failureOf, never, type TransportBench } from './bench.js'
import { isAlive, mebibyte, noise, output, within, zeros } from './streams.js'

/** Commands: their words, streams, exits and ends. */
export function commandTests(bench: TransportBench): void {
  describe('commands', () => {
    it('passes every byte of standard input, output and error, and the exit status', async () => {
      const connection = await bench.connect()
      const input = randomBytes(300_001)
      const process = await connection.exec(['sh', '-c', 'cat; printf "\\000\\377\\n" >&2; exit 42'], { signal: never })
      process.stdin.end(input)
      const [out, error] = await Promise.all([buffer(process.stdout), buffer(process.stderr)])
      expect(out.equals(input)).toBe(true)
      expect(error).toEqual(Buffer.from([0, 255, 10]))
      expect(await process.exit).toEqual({ code: 42, signal: null })
    })

    it('passes every word unchanged', async () => {
      const connection = await bench.connect()
      const words = ['', ' ', 'a b', '\'', '"', '\\', '$HOME', '`id`', '*', '!', '#', '~', 'a\nb', 'é☃', ';', '&', '|', '<', '>', '(', '-n', '%s', 'x=y', '\'\'\\\'']
      const process = await connection.exec(['sh', '-c', 'for word; do printf "%s\\0" "$word"; done', 'x=y', ...words], { signal: never })
      const out = (await output(process)).toString()
      expect(out.split('\0').slice(0, -1)).toEqual(words)
    })

    it('tells which signal ended a command', async () => {
      const connection = await bench.connect()
      // Whether a login shell stays around to turn the signal into a status of its own is its choice, unless told.
      const process = await connection.exec(['exec', 'sh', '-c', 'kill -KILL $$'], { signal: never })
      process.stderr.resume()
      await buffer(process.stdout)
      if (bench.subject.namesSignals) expect(await process.exit).toEqual({ code: null, signal: 'KILL' })
      else expect((await failureOf(process.exit)).code).toBe('exit-unknown')
    })

    it('reports a command that does not exist by its exit status', async () => {
      const connection = await bench.connect()
      const process = await connection.exec(['/nonexistent/program'], { signal: never })
      await output(process)
      expect(await process.exit).toEqual({ code: 127, signal: null })
    })

    it('ends standard input alone and goes on reading', async () => {
      const connection = await bench.connect()
      const process = await connection.exec(['sh', '-c', 'wc -c; sleep 0.1; echo after'], { signal: never })
      process.stdin.end('12345')
      expect((await output(process)).toString().split(/\s+/).filter((word) => word !== '')).toEqual(['5', 'after'])
    })

    it('waits for the exit status of a command that has closed its output long before', async () => {
      const connection = await bench.connect()
      const process = await connection.exec(['sh', '-c', 'exec >&- 2>&-; sleep 0.3; exit 3'], { signal: never })
      process.stdin.end()
      expect((await output(process)).toString()).toBe('')
      expect(await process.exit).toEqual({ code: 3, signal: null })
    })

    it('keeps output whole that ends together with the command', async () => {
      const connection = await bench.connect()
      for (let round = 0; round < 20; round++) {
        const process = await connection.exec(['printf', '%s', String(round)], { signal: never })
        expect((await output(process)).toString()).toBe(String(round))
        expect(await process.exit).toEqual({ code: 0, signal: null })
      }
    })

    it('fails writes to a command that has ended', async () => {
      const connection = await bench.connect()
      const process = await connection.exec(['true'], { signal: never })
      process.stdout.resume()
      process.stderr.resume()
      await process.exit
      const failure = await failureOf(pipeline(Readable.from(zeros(16 * mebibyte)), process.stdin))
      expect(failure.code).toBe('channel-closed')
    })

    it('runs ten at once over one connection, each with its own streams', async () => {
      const connection = await bench.connect()
      const results = await Promise.all(Array.from({ length: 10 }, async (_, index) => {
        const process = await connection.exec(['sh', '-c', 'read line; sleep 0.2; echo "$line"; exit "$1"', 'sh', String(index)], { signal: never })
        process.stdin.end(`line ${index}\n`)
        return [(await output(process)).toString(), (await process.exit).code]
      }))
      expect(results).toEqual(Array.from({ length: 10 }, (_, index) => [`line ${index}\n`, index]))
    })

    it('carries 100 MiB, or what the subject says, there and back', async () => {
      const connection = await bench.connect()
      const process = await connection.exec(['cat'], { signal: never })
      process.stderr.resume()
      const sent = createHash('sha256')
      const received = createHash('sha256')
      await Promise.all([
        pipeline(async function* () {
          for (const chunk of noise((bench.subject.bulkMebibytes ?? 100) * mebibyte)) {
            sent.update(chunk)
            yield chunk
          }
        }, process.stdin),
        pipeline(process.stdout, received),
      ])
      expect(received.digest('hex')).toBe(sent.digest('hex'))
    })
  })
}

/** What becomes of commands that nobody wants any more. */
export function abortTests(bench: TransportBench): void {
  describe('aborted channels', () => {
    const started = async (connection: Connection, script: string, signal: AbortSignal): Promise<{ process: RemoteProcess, pid: number }> => {
      const process = await connection.exec(['sh', '-c', `echo $$; ${script}`], { signal })
      const [first] = (await once(process.stdout, 'data')) as [Buffer]
      return { process, pid: Number(first.toString().split('\n')[0]) }
    }

    it.each([
      ['that reads', 'exec cat'],
      ['that writes', 'exec yes'],
      ['that does neither', 'exec sleep 600'],
    ])('leave no command behind %s', async (kind, script) => {
      const connection = await bench.connect()
      const controller = new AbortController()
      const { process, pid } = await started(connection, script, controller.signal)
      if (kind === 'that does neither' && !bench.subject.signals) {
        // All that can be promised: our side is free at once, and the command goes with the machine's next look at its streams.
        controller.abort(new Error('not wanted any more'))
        await expect(process.exit).rejects.toThrow('not wanted any more')
        globalThis.process.kill(pid, 'SIGKILL')
        return
      }
      expect(await isAlive(pid)).toBe(true)
      const reason = new Error('not wanted any more')
      const errors = [process.stdin, process.stdout, process.stderr].map(async (stream: Readable | Writable) => ((await once(stream, 'error')) as [unknown])[0])
      controller.abort(reason)
      await expect(process.exit).rejects.toBe(reason)
      expect(await Promise.all(errors)).toEqual([reason, reason, reason])
      await within(3000, async () => !(await isAlive(pid)))
      // The connection is none the worse for it.
      const next = await connection.exec(['echo', 'still here'], { signal: never })
      expect((await output(next)).toString()).toBe('still here\n')
    })

    it('are not opened when aborted before', async () => {
      const connection = await bench.connect()
      const reason = new Error('too late')
      await expect(connection.exec(['true'], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    })

    it('are closed when aborted while being opened', async () => {
      const connection = await bench.connect()
      const controller = new AbortController()
      const reason = new Error('changed my mind')
      const process = connection.exec(['sleep', '600'], { signal: controller.signal })
      controller.abort(reason)
      await expect(process).rejects.toBe(reason)
    })
  })
}
