import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { transportConformance } from 'guix-offload/plugin-api/testing'
import { lshTransport } from '../../plugins/transport-lsh/src/lsh-transport.js'
import type { BuildMachine, Connection } from '../../src/plugin-api/index.js'
import { conformanceFolder } from '../support/conformance-folder.js'
import { failureOf, say } from '../support/connections.js'
import { generateLshKey, startLshd, type Lshd } from '../support/lshd.js'
import { buildMachine, pluginHost } from '../support/plugin-host.js'
import { generateKey, startSshd } from '../support/sshd.js'

transportConformance('lsh', async () => {
  const lshd = await startLshd()
  const { remove, ...folder } = await conformanceFolder('rsa')
  return {
    transport: lshTransport(pluginHost()),
    machine: buildMachine({ port: lshd.port, user: lshd.user, hostKey: `${lshd.hostKey}\n`, privateKey: lshd.privateKey }),
    ...folder,
    ssh: { ...folder.ssh, usualKey: join('.ssh', 'id_rsa') },
    // lshd sends SIGHUP to what runs on a channel that is closed.
    signals: true,
    namesSignals: true,
    breakConnections: () => lshd.restart(),
    silenceConnections: async () => lshd.signal('SIGSTOP'),
    async stop() {
      await lshd.stop()
      await remove()
    },
  }
}, { sockets: false })

describe('transport lsh with lshd', () => {
  const never = new AbortController().signal
  let lshd: Lshd
  let folder: string
  beforeAll(async () => {
    lshd = await startLshd()
    folder = await mkdtemp(join(tmpdir(), 'guix-offload-home-'))
  })
  afterAll(async () => {
    await lshd.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const connect = (changes: Partial<BuildMachine> = {}): Promise<Connection> => lshTransport(pluginHost()).connect(
    buildMachine({ port: lshd.port, user: lshd.user, hostKey: lshd.hostKey, privateKey: lshd.privateKey, ...changes }),
    { signal: never, homeDirectory: folder, timeouts: { connectMs: 5000, handshakeMs: 5000, keepAliveMs: 15_000, keepAliveMisses: 4 } },
  )
  const workFolders = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('guix-offload-lsh-'))

  it('logs in with a key of lsh\'s own, found at its usual place', async () => {
    await mkdir(join(folder, '.lsh'))
    const identity = join(folder, '.lsh', 'identity')
    const own = await startLshd({ authorizedKey: await generateLshKey(identity) })
    const connection = await connect({ port: own.port, hostKey: own.hostKey, privateKey: undefined })
    expect(await say(connection, 'hello')).toBe('hello')
    expect(connection.details).toMatchObject({ privateKey: `${identity} (in lsh's format)`, keyExchange: 'diffie-hellman-group14-sha1', cipher: 'aes256-cbc', compression: 'none' })
    await connection.close()
    await own.stop()
  })

  it('compresses where the machine asks for it', async () => {
    const connection = await connect({ compression: 'zlib@openssh.com,zlib' })
    expect(connection.details['compression']).toBe('zlib')
    expect(await say(connection, 'hello')).toBe('hello')
    await connection.close()
  })

  it('accepts another key that the configuration names, and no other type', async () => {
    const ed25519 = await generateKey(join(folder, 'ed25519'))
    const connection = await connect({ hostKey: ed25519, settings: { hostKeys: [lshd.hostKey] } })
    expect(await say(connection, 'hello')).toBe('hello')
    await connection.close()
    expect((await failureOf(connect({ hostKey: ed25519 }))).message).toContain('lsh checks RSA keys only')
  })

  it('has a folder to which only we have access, without the private key, and removes it', async () => {
    const before = await workFolders()
    const connection = await connect()
    const [name = ''] = (await workFolders()).filter((each) => !before.includes(each))
    const path = join(tmpdir(), name)
    const { mode } = await stat(path)
    expect(mode & 0o777).toBe(0o700)
    expect((await readdir(path)).sort()).toEqual(['gateway', 'host-acls', 'x-lsh-offload', 'yarrow-seed-file'])
    await connection.close()
    expect(await workFolders()).not.toContain(name)
  })

  it('keeps the connection while many commands do not read what they are sent', async () => {
    const connection = await connect()
    const processes = await Promise.all(Array.from({ length: 14 }, () => connection.exec(['sleep', '60'], { signal: never })))
    for (const process of processes) process.stdin.write(Buffer.alloc(200_000))
    await sleep(300)
    // lshd gives each 10 kB, which together is more than lsh lets wait.
    const cat = await connection.exec(['cat'], { signal: never })
    cat.stderr.resume()
    cat.stdin.end(Buffer.alloc(300_000, 1))
    expect((await buffer(cat.stdout)).length).toBe(300_000)
    await connection.close()
  })

  it('bears output in the smallest of pieces', async () => {
    const connection = await connect()
    const process = await connection.exec(['sh', '-c', 'i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done'], { signal: never })
    process.stderr.resume()
    await once(process.stdout, 'readable')
    await sleep(200)
    expect((await buffer(process.stdout)).toString()).toBe(Array.from({ length: 3000 }, (_, index) => `${index}\n`).join(''))
    await connection.close()
  })

  it('says what it and a server of today offer each other', async () => {
    const sshd = await startSshd({ hostKeys: ['rsa'] })
    const failure = await failureOf(connect({ port: sshd.port, hostKey: sshd.hostKeys.rsa ?? '', privateKey: sshd.privateKey.replace(/user_key$/, 'host_rsa') }))
    await sshd.stop()
    expect(failure.code).toBe('no-common-algorithm')
    expect(failure.message).toContain('lsh offers diffie-hellman-group14-sha1, diffie-hellman-group1-sha1; the server offers ')
    expect(failure.message).toContain('curve25519-sha256')
    expect(failure.message).toContain('transport: ssh2')
  })

  it('refuses what it cannot do', async () => {
    expect((await failureOf(connect({ settings: { proxyJump: 'gate' } }))).code).toBe('setting-unsupported')
    expect((await failureOf(connect({ user: 'a/b' }))).code).toBe('setting-unsupported')
  })
})
