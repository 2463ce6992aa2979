import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeepAlive } from '../../../plugins/transport-ssh2/src/keep-alive.js'
import { windowFor } from '../../../plugins/transport-ssh2/src/receive-window.js'

describe('KeepAlive', () => {
  let ours: Socket
  let theirs: Socket
  beforeEach(async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    ours = connect((server.address() as { port: number }).port, '127.0.0.1')
    ;[theirs] = (await once(server, 'connection')) as [Socket]
    server.close()
  })
  afterEach(() => {
    ours.destroy()
    theirs.destroy()
  })

  it('notices silence in time', async () => {
    const begin = performance.now()
    const silentMs = await new Promise<number>((resolve) => new KeepAlive(ours, 200, resolve))
    expect(silentMs).toBeGreaterThanOrEqual(200)
    expect(performance.now() - begin).toBeLessThan(350)
  })

  it('counts whatever arrives as a sign of life, and stops when told', async () => {
    let silent = 0
    const keepAlive = new KeepAlive(ours, 150, () => { silent++ })
    const chatter = setInterval(() => theirs.write('.'), 40)
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(silent).toBe(0)
    keepAlive.stop()
    clearInterval(chatter)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(silent).toBe(0)
  })

  it('reads what has come while this process was held up', async () => {
    let silent = 0
    const keepAlive = new KeepAlive(ours, 200, () => { silent++ })
    theirs.write('.')
    // Nothing else runs for longer than the time allowed.
    for (const end = performance.now() + 500; performance.now() < end;);
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(silent).toBe(0)
    keepAlive.stop()
  })
})

describe('windowFor', () => {
  it('holds two round trips of a gigabit link, within bounds', () => {
    expect(windowFor(0.3)).toBe(2 * 1024 * 1024)
    expect(windowFor(50)).toBeGreaterThanOrEqual(50 * 2 * 125_000)
    expect(windowFor(5000)).toBe(32 * 1024 * 1024)
  })
})
