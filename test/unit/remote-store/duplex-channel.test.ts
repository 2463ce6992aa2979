import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DuplexChannel } from '../../../src/remote-store/duplex-channel.js'

let folder: string
let server: Server
let peer: Socket
let stream: Socket
let channel: DuplexChannel

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'duplex-'))
  const path = join(folder, 'socket')
  const accepted = new Promise<Socket>((resolve) => (server = createServer({ allowHalfOpen: true }, resolve)))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  stream = createConnection({ path, allowHalfOpen: true })
  channel = new DuplexChannel(stream)
  peer = await accepted
  peer.on('error', () => undefined)
})

afterEach(async () => {
  peer.destroy()
  stream.destroy()
  server.close()
  await rm(folder, { recursive: true })
})

describe('DuplexChannel', () => {
  it('reads what is there, waits for what is not, and sees the end', async () => {
    peer.write('one')
    expect(Buffer.from((await channel.read()) ?? []).toString()).toBe('one')
    const waiting = channel.read()
    await sleep(10)
    peer.end('two')
    expect(Buffer.from((await waiting) ?? []).toString()).toBe('two')
    expect(await channel.read()).toBeUndefined()
    expect(await channel.read()).toBeUndefined()
  })

  it('stops reading from the peer while nobody asks', async () => {
    const chunk = Buffer.alloc(64 * 1024)
    let sent = 0
    while (sent < 64 * 1024 * 1024 && peer.write(chunk)) sent += chunk.length
    // The peer is blocked: nothing more leaves it, however long we wait.
    await sleep(50)
    const stuck = peer.writableLength
    await sleep(50)
    expect(stuck).toBeGreaterThan(0)
    expect(peer.writableLength).toBe(stuck)
    expect(stream.readableLength).toBeLessThanOrEqual(256 * 1024)
    peer.end()
    let got = 0
    for (let bytes = await channel.read(); bytes !== undefined; bytes = await channel.read()) got += bytes.length
    expect(got).toBe(sent + chunk.length)
  })

  it('waits with writing until there is room', async () => {
    const big = Buffer.alloc(8 * 1024 * 1024, 7)
    let written = false
    const writing = channel.write(big).then(() => (written = true))
    await sleep(50)
    expect(written).toBe(false)
    let got = 0
    peer.on('data', (bytes) => (got += bytes.length))
    await writing
    while (got < big.length) await sleep(5)
    expect(got).toBe(big.length)
  })

  it('rejects a read and a write that wait when it is closed', async () => {
    const reading = channel.read()
    const writing = channel.write(Buffer.alloc(8 * 1024 * 1024))
    const outcome = Promise.allSettled([reading, writing])
    channel.close()
    channel.close()
    expect((await outcome).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await expect(channel.read()).rejects.toThrow('closed')
    await expect(channel.write(Buffer.from('x'))).rejects.toThrow('closed')
  })

  it('rejects with the error that the stream was destroyed with', async () => {
    const lost = new Error('no answer to keep-alives')
    const reading = channel.read()
    stream.destroy(lost)
    await expect(reading).rejects.toBe(lost)
    await expect(channel.write(Buffer.from('x'))).rejects.toBe(lost)
  })

  it('knows of a stream that was dead before', async () => {
    const lost = new Error('lost')
    stream.destroy(lost)
    await sleep(10)
    const late = new DuplexChannel(stream)
    await expect(late.read()).rejects.toBe(lost)
  })

  it('gives out what came before the connection was closed', async () => {
    peer.write('last words')
    peer.end()
    await sleep(20)
    expect(Buffer.from((await channel.read()) ?? []).toString()).toBe('last words')
  })
})
