/**
 * What every transport must do, run against a real server on this computer, whose side is looked at as well: processes by their number, sockets by their path.
 * One suite in one file, since it is read as a list of what a transport promises.
 */
import { createHash, randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { PassThrough, Readable, type Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { BuildMachine, ConnectContext, Connection, ConnectTimeouts, OffloadFailure, RemoteProcess } from '../index.js'
import type { TransportCapabilities, TransportSubject } from './transport-subject.js'

const mebibyte = 1024 * 1024
const usual: ConnectTimeouts = { connectMs: 5000, handshakeMs: 10_000, keepAliveMs: 15_000, keepAliveMisses: 4 }
const never = new AbortController().signal

/**
 * Registers the suite with vitest; call it at the top of a test file. Some tests take seconds: a `testTimeout` of 60,000 ms does.
 * @param name as it stands in the report
 * @param makeSubject called once, before the first test
 * @param capabilities what is said to be lacking; the rest is expected
 */
export function transportConformance(name: string, makeSubject: () => Promise<TransportSubject>, capabilities: Partial<TransportCapabilities> = {}): void {
  const { sockets, ssh } = { sockets: true, ssh: true, ...capabilities }
  describe(`transport ${name}`, () => {
    let subject: TransportSubject
    const sshParts = (): NonNullable<TransportSubject['ssh']> => {
      if (subject.ssh === undefined) throw new Error('the subject must have `ssh` unless the capability is absent')
      return subject.ssh
    }
    const open = new Set<Connection>()

    beforeAll(async () => {
      subject = await makeSubject()
    })
    afterEach(async () => {
      await Promise.all([...open].map((connection) => connection.close()))
      open.clear()
    })
    afterAll(async () => {
      await subject.stop()
    })

    const attempt = (changes: Partial<BuildMachine> = {}, timeouts: Partial<ConnectTimeouts> = {}, context: Partial<ConnectContext> = {}): Promise<Connection> =>
      subject.transport.connect({ ...subject.machine, ...changes }, { signal: never, homeDirectory: subject.homeDirectory, timeouts: { ...usual, ...timeouts }, ...context })
    const connect = async (...parameters: Parameters<typeof attempt>): Promise<Connection> => {
      const connection = await attempt(...parameters)
      open.add(connection)
      return connection
    }
    /** The failure of an attempt, which must be one of ours and name the machine. */
    const refusal = async (...parameters: Parameters<typeof attempt>): Promise<OffloadFailure> => {
      const failure = await failureOf(attempt(...parameters))
      expect(failure.message).toContain(parameters[0]?.name ?? subject.machine.name)
      return failure
    }

    describe('commands', () => {
      it('passes every byte of standard input, output and error, and the exit status', async () => {
        const connection = await connect()
        const input = randomBytes(300_001)
        const process = await connection.exec(['sh', '-c', 'cat; printf "\\000\\377\\n" >&2; exit 42'], { signal: never })
        process.stdin.end(input)
        const [out, error] = await Promise.all([buffer(process.stdout), buffer(process.stderr)])
        expect(out.equals(input)).toBe(true)
        expect(error).toEqual(Buffer.from([0, 255, 10]))
        expect(await process.exit).toEqual({ code: 42, signal: null })
      })

      it('passes every word unchanged', async () => {
        const connection = await connect()
        const words = ['', ' ', 'a b', '\'', '"', '\\', '$HOME', '`id`', '*', '!', '#', '~', 'a\nb', 'é☃', ';', '&', '|', '<', '>', '(', '-n', '%s', 'x=y', '\'\'\\\'']
        const process = await connection.exec(['sh', '-c', 'for word; do printf "%s\\0" "$word"; done', 'x=y', ...words], { signal: never })
        const out = (await output(process)).toString()
        expect(out.split('\0').slice(0, -1)).toEqual(words)
      })

      it('tells which signal ended a command', async () => {
        const connection = await connect()
        // Whether a login shell stays around to turn the signal into a status of its own is its choice, unless told.
        const process = await connection.exec(['exec', 'sh', '-c', 'kill -KILL $$'], { signal: never })
        process.stderr.resume()
        await buffer(process.stdout)
        if (subject.namesSignals) expect(await process.exit).toEqual({ code: null, signal: 'KILL' })
        else expect((await failureOf(process.exit)).code).toBe('exit-unknown')
      })

      it('reports a command that does not exist by its exit status', async () => {
        const connection = await connect()
        const process = await connection.exec(['/nonexistent/program'], { signal: never })
        await output(process)
        expect(await process.exit).toEqual({ code: 127, signal: null })
      })

      it('ends standard input alone and goes on reading', async () => {
        const connection = await connect()
        const process = await connection.exec(['sh', '-c', 'wc -c; sleep 0.1; echo after'], { signal: never })
        process.stdin.end('12345')
        expect((await output(process)).toString().split(/\s+/).filter((word) => word !== '')).toEqual(['5', 'after'])
      })

      it('waits for the exit status of a command that has closed its output long before', async () => {
        const connection = await connect()
        const process = await connection.exec(['sh', '-c', 'exec >&- 2>&-; sleep 0.3; exit 3'], { signal: never })
        process.stdin.end()
        expect((await output(process)).toString()).toBe('')
        expect(await process.exit).toEqual({ code: 3, signal: null })
      })

      it('keeps output whole that ends together with the command', async () => {
        const connection = await connect()
        for (let round = 0; round < 20; round++) {
          const process = await connection.exec(['printf', '%s', String(round)], { signal: never })
          expect((await output(process)).toString()).toBe(String(round))
          expect(await process.exit).toEqual({ code: 0, signal: null })
        }
      })

      it('fails writes to a command that has ended', async () => {
        const connection = await connect()
        const process = await connection.exec(['true'], { signal: never })
        process.stdout.resume()
        process.stderr.resume()
        await process.exit
        const failure = await failureOf(pipeline(Readable.from(zeros(16 * mebibyte)), process.stdin))
        expect(failure.code).toBe('channel-closed')
      })

      it('runs ten at once over one connection, each with its own streams', async () => {
        const connection = await connect()
        const results = await Promise.all(Array.from({ length: 10 }, async (_, index) => {
          const process = await connection.exec(['sh', '-c', 'read line; sleep 0.2; echo "$line"; exit "$1"', 'sh', String(index)], { signal: never })
          process.stdin.end(`line ${index}\n`)
          return [(await output(process)).toString(), (await process.exit).code]
        }))
        expect(results).toEqual(Array.from({ length: 10 }, (_, index) => [`line ${index}\n`, index]))
      })

      it('carries 100 MiB, or what the subject says, there and back', async () => {
        const connection = await connect()
        const process = await connection.exec(['cat'], { signal: never })
        process.stderr.resume()
        const sent = createHash('sha256')
        const received = createHash('sha256')
        await Promise.all([
          pipeline(async function* () {
            for (const chunk of noise((subject.bulkMebibytes ?? 100) * mebibyte)) {
              sent.update(chunk)
              yield chunk
            }
          }, process.stdin),
          pipeline(process.stdout, received),
        ])
        expect(received.digest('hex')).toBe(sent.digest('hex'))
      })
    })

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
        const connection = await connect()
        const controller = new AbortController()
        const { process, pid } = await started(connection, script, controller.signal)
        if (kind === 'that does neither' && !subject.signals) {
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
        const connection = await connect()
        const reason = new Error('too late')
        await expect(connection.exec(['true'], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      })

      it('are closed when aborted while being opened', async () => {
        const connection = await connect()
        const controller = new AbortController()
        const reason = new Error('changed my mind')
        const process = connection.exec(['sleep', '600'], { signal: controller.signal })
        controller.abort(reason)
        await expect(process).rejects.toBe(reason)
      })
    })

    it('has sockets where it says so, and not even a member for them elsewhere', async () => {
      expect('openSocket' in await connect()).toBe(sockets)
    })

    if (sockets) describe('sockets', () => {
      let server: Server
      let path: string
      const accepted: Socket[] = []
      let number = 0
      const listen = async (handler: (socket: Socket) => void): Promise<void> => {
        path = join(subject.sharedFolder, `socket-${number++}`)
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
        const stream = await openSocket(await connect())
        const input = randomBytes(100_000)
        stream.end(input)
        expect((await readAll(stream)).toString()).toBe(createHash('sha256').update(input).digest('hex'))
      })

      it('answer small messages promptly', async () => {
        await listen((socket) => socket.pipe(socket))
        const connection = await connect()
        const stream = await openSocket(connection)
        const begin = performance.now()
        for (let round = 0; round < 20; round++) {
          stream.write(Buffer.from([round]))
          const [answer] = (await once(stream, 'data')) as [Buffer]
          expect(answer).toEqual(Buffer.from([round]))
        }
        // Nagle's algorithm alone would cost 40 ms a round.
        expect(performance.now() - begin).toBeLessThan(20 * (2 * connection.roundTripMs + 20))
        stream.destroy()
      })

      it('hold a sender back whose receiver does not read', async () => {
        await listen((socket) => socket.pause())
        const stream = await openSocket(await connect())
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
        const stream = await openSocket(await connect())
        await settled(() => sent)
        expect(sent).toBeLessThan(24 * mebibyte)
        let received = 0
        for await (const chunk of stream as AsyncIterable<Buffer>) received += chunk.length
        expect(received).toBe(sent)
        expect(sent).toBe(128 * mebibyte)
      })

      it('end when the other side closes, and refuse what is written then', async () => {
        await listen((socket) => socket.end('bye', () => socket.destroy()))
        const stream = await openSocket(await connect())
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
        const stream = await openSocket(await connect(), controller.signal)
        const reason = new Error('enough')
        const failed = once(stream, 'error')
        controller.abort(reason)
        expect(await failed).toEqual([reason])
        await within(2000, async () => ended)
      })

      it('are unavailable where nothing listens', async () => {
        await listen(() => undefined)
        server.close()
        const failure = await failureOf(openSocket(await connect()))
        expect(failure.code).toBe('socket-unavailable')
        expect(failure.message).toContain(path)
      })
    })

    describe('a connection', () => {
      it('knows its machine, round trip and what was negotiated', async () => {
        const connection = await connect()
        expect(connection.machine.name).toBe(subject.machine.name)
        expect(connection.roundTripMs).toBeGreaterThan(0)
        expect(connection.roundTripMs).toBeLessThan(1000)
        expect(Object.keys(connection.details)).not.toEqual([])
      })

      it('is not opened when aborted before', async () => {
        const reason = new Error('too late')
        await expect(attempt({}, {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      })

      it('closes twice without complaint, ends its channels, and takes no new ones', async () => {
        const connection = await connect()
        const process = await connection.exec(['cat'], { signal: never })
        await Promise.all([connection.close(), connection.close()])
        await connection.close()
        expect(await connection.closed).toBeUndefined()
        expect((await failureOf(process.exit)).code).toBe('connection-closed')
        expect((await failureOf(connection.exec(['true'], { signal: never }))).code).toBe('connection-closed')
      })

      it('fails loudly on every channel when the server goes away', async () => {
        const connection = await connect()
        const process = await connection.exec(['cat'], { signal: never })
        const reading = failureOf(buffer(process.stdout))
        await subject.breakConnections()
        const begin = performance.now()
        const codes = [await reading, await failureOf(process.exit), await connection.closed].map(codeOf)
        expect(codes).toEqual(['connection-lost', 'connection-lost', 'connection-lost'])
        expect(performance.now() - begin).toBeLessThan(1000)
        expect((await failureOf(connection.exec(['true'], { signal: never }))).code).toBe('connection-lost')
      })

      it.each([
        ['idle', () => undefined],
        ['sending', (process: RemoteProcess) => void pipeline(Readable.from(zeros(1024 * mebibyte)), process.stdin).catch(() => undefined)],
      ])('notices within its keep-alive time that the other side has fallen silent while %s', async (_, load) => {
        const keepAlive = subject.keepAlive ?? { keepAliveMs: 300, keepAliveMisses: 3 }
        const connection = await connect({}, keepAlive)
        const process = await connection.exec(['cat'], { signal: never })
        const reading = failureOf(buffer(process.stdout.pipe(new PassThrough({ highWaterMark: mebibyte }))).catch(() => process.exit))
        process.stdout.resume()
        load(process)
        await subject.silenceConnections()
        const begin = performance.now()
        const opening = failureOf(connection.exec(['true'], { signal: never }))
        expect(codeOf(await connection.closed)).toBe('connection-lost')
        expect(performance.now() - begin).toBeLessThan(keepAlive.keepAliveMs * keepAlive.keepAliveMisses + 300)
        expect((await opening).code).toBe('connection-lost')
        void reading
        await subject.breakConnections()
      })

      it('stays up while idle for longer than its keep-alive time', async () => {
        const connection = await connect({}, { keepAliveMs: 100, keepAliveMisses: 2 })
        expect(await Promise.race([connection.closed, sleep(1000, 'still up')])).toBe('still up')
        const process = await connection.exec(['echo', 'hello'], { signal: never })
        expect((await output(process)).toString()).toBe('hello\n')
      })
    })

    if (ssh) describe('refuses', () => {
      it('another host key', async () => {
        const failure = await refusal({ hostKey: sshParts().otherHostKey })
        expect(failure.code).toBe('host-key-mismatch')
        expect(failure.message.match(/SHA256:[A-Za-z0-9+/]{43}/g)).toHaveLength(2)
      })

      it('a host key it cannot read, saying where it stands', async () => {
        const location = { file: '/etc/guix/machines.scm', line: 7, column: 3 }
        const failure = await refusal({ hostKey: 'ssh-ed25519 not/a=key', location })
        expect(failure).toMatchObject({ code: 'host-key-invalid', fault: 'configuration' })
        expect(failure.message).toContain('/etc/guix/machines.scm:7:3')
      })

      it('to log in as a user the machine does not know', async () => {
        const failure = await refusal({ user: 'nobody-of-that-name' })
        expect(failure.code).toBe('authentication-refused')
        expect(failure.message).toContain('nobody-of-that-name')
      })

      it('to log in with a key the machine does not know, naming it', async () => {
        const failure = await refusal({ privateKey: sshParts().keys.unknown })
        expect(failure.code).toBe('authentication-refused')
        expect(failure.message).toContain(sshParts().keys.unknown)
      })

      it.each([['encrypted', 'private-key-encrypted'], ['garbled', 'private-key-invalid'], ['missing', 'private-key-missing']] as const)(
        'a private key that is %s',
        async (kind, code) => {
          const failure = await refusal({ privateKey: sshParts().keys[kind] })
          expect(failure).toMatchObject({ code, fault: 'configuration', retry: 'other-machine' })
          expect(failure.message).toContain(sshParts().keys[kind])
        },
      )

      it('to guess when there is no private key at all', async () => {
        const failure = await refusal({ privateKey: undefined })
        expect(failure.code).toBe('private-key-missing')
        expect(failure.message).toContain(join(subject.homeDirectory, sshParts().usualKey ?? join('.ssh', 'id_ed25519')))
      })
    })

    if (ssh) describe('a machine with an address', () => {
      const name = 'no-such-machine.invalid'
      const addressOfMachine = async (): Promise<string> => subject.machine.address ?? (await lookup(subject.machine.name)).address

      it('is reached there, whatever its name resolves to, and goes by its name', async () => {
        const address = await addressOfMachine()
        const connection = await connect({ name, address })
        expect(connection.machine).toMatchObject({ name, address })
        const process = await connection.exec(['echo', 'here'], { signal: never })
        expect((await output(process)).toString()).toBe('here\n')
      })

      it('is held to its host key all the same', async () => {
        const failure = await refusal({ name, address: await addressOfMachine(), hostKey: sshParts().otherHostKey })
        expect(failure.code).toBe('host-key-mismatch')
      })

      it('is looked for nowhere else', async () => {
        // To a multicast address no TCP connection can be made, and nothing is sent.
        const failure = await refusal({ address: '224.0.0.1' })
        expect(failure.code).toBe('network-unreachable')
      })
    })

    if (ssh) describe('in trouble', () => {
      it('says that a name cannot be resolved', async () => {
        const failure = await refusal({ name: 'no-such-machine.invalid' })
        expect(failure.code).toBe('name-not-found')
      })

      it('says that a port is closed', async () => {
        const failure = await refusal({ port: 1 })
        expect(failure.code).toBe('connection-refused')
      })

      it('gives up in time on a server that accepts and says nothing', async () => {
        const hole = createServer(() => undefined).listen(0, '127.0.0.1')
        await once(hole, 'listening')
        const address = hole.address()
        if (address === null || typeof address === 'string') throw new Error('no port')
        const begin = performance.now()
        const failure = await refusal({ name: '127.0.0.1', port: address.port }, { handshakeMs: 400 })
        expect(failure.code).toBe('handshake-timeout')
        expect(performance.now() - begin).toBeGreaterThan(390)
        expect(performance.now() - begin).toBeLessThan(1200)
        hole.close()
      })

      it('says that something else listens on the port', async () => {
        const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')).listen(0, '127.0.0.1')
        await once(other, 'listening')
        const address = other.address()
        if (address === null || typeof address === 'string') throw new Error('no port')
        const failure = await refusal({ name: '127.0.0.1', port: address.port })
        expect(failure.code).toBe('not-an-ssh-server')
        other.close()
      })

      it('stops connecting at once when aborted', async () => {
        const hole = createServer(() => undefined).listen(0, '127.0.0.1')
        await once(hole, 'listening')
        const address = hole.address()
        if (address === null || typeof address === 'string') throw new Error('no port')
        const controller = new AbortController()
        const reason = new Error('another machine was faster')
        const attempted = attempt({ name: '127.0.0.1', port: address.port }, {}, { signal: controller.signal })
        setTimeout(() => controller.abort(reason), 100)
        await expect(attempted).rejects.toBe(reason)
        hole.close()
      })
    })
  })
}

async function failureOf(promise: Promise<unknown>): Promise<OffloadFailure> {
  const error = await promise.then(() => new Error('it succeeded'), (reason: unknown) => reason)
  expect(error).toMatchObject({ report: { code: expect.any(String) as string } })
  return error as OffloadFailure
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}

async function output(process: RemoteProcess): Promise<Buffer> {
  process.stderr.resume()
  const all = await buffer(process.stdout)
  await process.exit
  return all
}

function* zeros(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536))
}

/** Bytes that repeat at no power of two, so that a lost or doubled packet shows. */
function* noise(size: number): Generator<Buffer> {
  const pattern = randomBytes(65_521)
  for (let left = size; left > 0; left -= pattern.length) yield pattern.subarray(0, Math.min(left, pattern.length))
}

/** Read to its end without destroying it, as an async iteration would. */
async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks)
}

/** One that has ended but not been waited for is not alive. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  return stat !== '' && !/\) Z /.test(stat)
}

async function within(ms: number, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms`)
    await sleep(20)
  }
}

/** Waits until a number has stopped growing. */
async function settled(number: () => number): Promise<void> {
  for (let before = -1; before !== number(); await sleep(400)) before = number()
}
