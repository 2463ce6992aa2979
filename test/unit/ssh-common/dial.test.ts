import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { dial } from '../../../plugins/ssh-common/src/dial.js'
import { Failures } from '../../../plugins/ssh-common/src/failures.js'
import { errorFactory } from '../../../src/errors/error-factory.js'
import { failureOf } from '../../support/connections.js'
import { buildMachine } from '../../support/plugin-host.js'

const never = new AbortController().signal

function attempt(name: string, port: number, connectMs = 2000, signal = never): Promise<Socket> {
  return dial(new Failures(errorFactory, buildMachine({ name, port, hostKey: '' })), connectMs, signal)
}

describe('dial', () => {
  it('hands over a socket nobody has read from', async () => {
    const server = createServer((socket) => socket.end('hello')).listen(0, 'localhost')
    await once(server, 'listening')
    const socket = await attempt('localhost', (server.address() as { port: number }).port)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const [first] = (await once(socket, 'data')) as [Buffer]
    expect(first.toString()).toBe('hello')
    socket.destroy()
    server.close()
  })

  it('says that nothing listens, and where', async () => {
    const failure = await failureOf(attempt('localhost', 1))
    expect(failure).toMatchObject({ code: 'connection-refused', retry: 'other-machine' })
    expect(failure.message).toMatch(/^localhost:1: connecting: nothing listens on .*:1/)
  })

  it('says that a name means nothing', async () => {
    expect(await failureOf(attempt('no-such-machine.invalid', 22))).toMatchObject({ code: 'name-not-found', report: { machine: 'no-such-machine.invalid' } })
  })

  it('gives up on a machine that does not answer', async () => {
    // A stopped process whose queue of connections is full: the kernel drops what comes then, as a dead machine would.
    const program = 'const s = require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(s.address().port))'
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    child.kill('SIGSTOP')
    const port = Number(line.toString())
    const occupants = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
    await new Promise((resolve) => setTimeout(resolve, 100))
    const begin = performance.now()
    const failure = await failureOf(attempt('127.0.0.1', port, 300))
    expect(failure.code).toBe('connect-timeout')
    expect(failure.message).toContain(`127.0.0.1:${port} within 0.3 s`)
    expect(performance.now() - begin).toBeLessThan(900)
    for (const socket of occupants) socket.destroy()
    child.kill('SIGKILL')
  })

  it('stops when aborted, before and during', async () => {
    const reason = new Error('no longer')
    await expect(attempt('127.0.0.1', 1, 1000, AbortSignal.abort(reason))).rejects.toBe(reason)
    const controller = new AbortController()
    const dialing = attempt('localhost', 1, 1000, controller.signal)
    controller.abort(reason)
    await expect(dialing).rejects.toBe(reason)
  })
})
