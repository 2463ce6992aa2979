import { afterEach, describe, expect, it } from 'vitest'
import { LocalDaemon } from '../../../src/local-store/local-daemon.js'
import { collector } from '../../support/conversations.js'
import { type DaemonSocket, daemonSocket } from '../../support/daemon-socket.js'
import { error, greeted, int, join, last, list, type Step, str, write } from '../../support/daemon-script.js'

const item = '/gnu/store/0123456789abcdfghijklmnpqrsvwxyz-item'

let socket: DaemonSocket | undefined
let daemon: LocalDaemon | undefined

afterEach(async () => {
  daemon?.close()
  await socket?.close()
  daemon = undefined
  socket = undefined
})

async function opened(...steps: Step[]): Promise<LocalDaemon> {
  socket = await daemonSocket([...greeted(), ...steps])
  daemon = await LocalDaemon.open(socket.path)
  return daemon
}

describe('LocalDaemon', () => {
  it('looks up, protects, asks and exports', async () => {
    const hash = 'cd'.repeat(32)
    const local = await opened(
      { expect: join(int(26), str(item)) },
      { send: join(last(), str(''), str(hash), list([item]), int(1), int(4096)) },
      { expect: join(int(11), str(`${item}.tmp`)) },
      { send: join(last(), int(1)) },
      { expect: join(int(31), list([item])) },
      { send: join(last(), list([item])) },
      { expect: join(int(16), str(item), int(1)) },
      { send: join(write('signed'), last(), int(1)) },
    )
    expect(await local.pathInfo(item)).toEqual({ deriver: '', narHash: hash, references: [item], registrationTime: 1, narSize: 4096 })
    await local.addTempRoot(`${item}.tmp`)
    expect(await local.queryValidPaths([item])).toEqual([item])
    const data = collector()
    await local.exportSigned(item, data.onBytes)
    expect(data.text()).toBe('signed')
    expect(socket?.complaints).toEqual([])
  })

  it('says when an item is not valid', async () => {
    const local = await opened({ expect: join(int(26), str(item)) }, { send: error(`path \`${item}' is not valid`, 1) })
    await expect(local.pathInfo(item)).rejects.toMatchObject({ code: 'item-not-valid', retry: 'never', report: { subject: item } })
  })

  it('blames nobody else for its failures: no other build machine would help', async () => {
    const refused = await opened({ expect: join(int(11), str(item)) }, { send: error('disk full', 1) })
    await expect(refused.addTempRoot(item)).rejects.toMatchObject({ retry: 'never', message: expect.stringContaining('local guix-daemon') as string })
    refused.close()
    await socket?.close()
    const lost = await opened({ expect: join(int(26), str(item)) }, { end: true })
    await expect(lost.pathInfo(item)).rejects.toMatchObject({ code: 'daemon-connection-lost', retry: 'never' })
  })

  it('says when nothing listens', async () => {
    await expect(LocalDaemon.open('/nonexistent/socket')).rejects.toMatchObject({
      code: 'local-daemon-unreachable',
      retry: 'never',
      report: { subject: '/nonexistent/socket', problem: expect.stringContaining('ENOENT') as string },
    })
  })

  it('is closed by its signal', async () => {
    socket = await daemonSocket(greeted())
    const controller = new AbortController()
    daemon = await LocalDaemon.open(socket.path, controller.signal)
    controller.abort(new Error('over'))
    await expect(daemon.queryValidPaths([item])).rejects.toThrow('over')
    await expect.poll(() => socket?.daemons[0]?.closed).toBe(true)
  })
})
