import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DaemonOutput } from '../../../src/hook/daemon-output.js'

let folder: string
let fd: number

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'output-'))
  fd = openSync(join(folder, 'out'), 'w')
})
afterEach(() => {
  closeSync(fd)
  rmSync(folder, { recursive: true })
})

const written = () => readFileSync(join(folder, 'out'), 'utf8')

describe('DaemonOutput', () => {
  it('writes replies as the daemon reads them', () => {
    const output = new DaemonOutput(fd)
    expect([output.reply('postpone'), output.reply('decline'), output.reply('accept')]).toEqual([true, true, true])
    expect(written()).toBe('# postpone\n# decline\n# accept\n')
  })

  it('never lets a message pass for a reply', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('# accept', '# ', '#', ' # x', '@ build-remote', 'text', '\r', '')), (lines) => {
        const target = openSync(join(folder, 'out'), 'w')
        new DaemonOutput(target).message(lines.join('\n'))
        closeSync(target)
        expect(written()).toMatch(/\n$/)
        expect(written().split('\n').filter((line) => line.startsWith('# '))).toEqual([])
      }),
    )
  })

  it('ends every message with one newline', () => {
    const output = new DaemonOutput(fd)
    output.message('one')
    output.message('two\n')
    output.message('three\r\nfour')
    expect(written()).toBe('one\ntwo\nthree\nfour\n')
  })

  it('notices that nobody reads any more', () => {
    const fifo = join(folder, 'fifo')
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0)
    const both = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
    const pipe = openSync(fifo, constants.O_WRONLY)
    const output = new DaemonOutput(pipe)
    expect(output.reply('postpone')).toBe(true)
    closeSync(both)
    expect(output.reply('accept')).toBe(false)
    expect(output.gone.reason).toMatchObject({ code: 'EPIPE' })
    expect(() => output.message('hello?')).not.toThrow()
    closeSync(pipe)
  })

  it('notices it also while there is nothing to say', async () => {
    const fifo = join(folder, 'fifo')
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0)
    const both = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
    const pipe = openSync(fifo, constants.O_WRONLY)
    const output = new DaemonOutput(pipe)
    const stop = output.watch(5)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(output.gone.aborted).toBe(false)
    const gone = once(output.gone, 'abort')
    closeSync(both)
    await gone
    stop()
    closeSync(pipe)
  })

  it('takes a file, a socket, or a descriptor that is closed, for read', async () => {
    const path = join(folder, 'socket')
    const server = createServer().listen(path)
    await once(server, 'listening')
    const socket = createConnection(path) as Socket & { readonly _handle: { readonly fd: number } }
    await once(socket, 'connect')
    const outputs = [new DaemonOutput(fd), new DaemonOutput(socket._handle.fd), new DaemonOutput(9999)]
    const stops = outputs.map((output) => output.watch(5))
    await new Promise((resolve) => setTimeout(resolve, 30))
    for (const stop of stops) stop()
    socket.destroy()
    server.close()
    expect(outputs.map(({ gone }) => gone.aborted)).toEqual([false, false, false])
    expect(written()).toBe('')
  })

  it('waits for a slow reader, also on a pipe that does not block', async () => {
    const fifo = join(folder, 'fifo')
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0)
    const reader = spawn('sh', ['-c', 'exec < "$0"; sleep 0.2; wc -c', fifo], { stdio: ['ignore', 'pipe', 'inherit'] })
    const output = once(reader.stdout, 'data')
    const pipe = await openForWriting(fifo)
    new DaemonOutput(pipe).message('x'.repeat(300_000))
    closeSync(pipe)
    const [count] = (await output) as [Buffer]
    expect(Number(count.toString())).toBe(300_001)
  })
})

/** Without blocking, once there is a reader. */
async function openForWriting(fifo: string): Promise<number> {
  for (;;) {
    try {
      return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}
