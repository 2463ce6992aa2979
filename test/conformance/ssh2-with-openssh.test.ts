import { spawn } from 'node:child_process'
/** What transport ssh2 does with OpenSSH's many settings, beyond what every transport must. */
import { once } from 'node:events'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createPrivateKey } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import ssh2 from 'ssh2'
import { mendSignature } from '../../plugins/transport-ssh2/src/ssh2-internals.js'
import { ssh2Transport } from '../../plugins/transport-ssh2/src/ssh2-transport.js'
import type { BuildMachine, Connection, ConnectTimeouts } from '../../src/plugin-api/index.js'
import { failureOf, say } from '../support/connections.js'
import { fullSocket } from '../support/full-queue.js'
import { buildMachine, pluginHost } from '../support/plugin-host.js'
import { freePort, generateKey, startSshd, type Sshd, type SshdOptions } from '../support/sshd.js'

const never = new AbortController().signal
const usual: ConnectTimeouts = { connectMs: 5000, handshakeMs: 10_000, keepAliveMs: 15_000, keepAliveMisses: 4 }

let home: string
const cleanUp: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'guix-offload-home-'))
  await mkdir(join(home, '.ssh'))
  cleanUp.push(() => rm(home, { recursive: true, force: true }))
})
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
})

async function serve(options: SshdOptions = {}): Promise<Sshd> {
  const sshd = await startSshd(options)
  cleanUp.push(() => sshd.stop())
  return sshd
}

async function connect(sshd: Sshd, changes: Partial<BuildMachine> = {}, timeouts: Partial<ConnectTimeouts> = {}, messages: string[] = []): Promise<Connection> {
  const machine = buildMachine({ port: sshd.port, user: sshd.user, hostKey: sshd.hostKeys.ed25519 ?? '', privateKey: sshd.privateKey, ...changes })
  const connection = await ssh2Transport(pluginHost(messages)).connect(machine, { signal: never, homeDirectory: home, timeouts: { ...usual, ...timeouts } })
  cleanUp.push(() => connection.close())
  return connection
}

describe('host keys', () => {
  it('asks for the pinned type where the server has several keys', async () => {
    const sshd = await serve({ hostKeys: ['ed25519', 'ecdsa', 'rsa'] })
    for (const [type, name] of [['ed25519', 'ssh-ed25519'], ['ecdsa', 'ecdsa-sha2-nistp256'], ['rsa', 'ssh-rsa']] as const) {
      const connection = await connect(sshd, { hostKey: sshd.hostKeys[type] ?? '' })
      expect(connection.details.hostKey).toMatch(new RegExp(`^${name} SHA256:`))
    }
  })

  it('accepts an additional key, and shows the server\'s key where it has none of the pinned type', async () => {
    const sshd = await serve({ hostKeys: ['ecdsa'] })
    const other = await generateKey(join(home, 'other'))
    const failure = await failureOf(connect(sshd, { hostKey: other }))
    expect(failure.code).toBe('host-key-mismatch')
    expect(failure.message).toMatch(/expected ssh-ed25519 SHA256:.*, seen ecdsa-sha2-nistp256 SHA256:/)
    const connection = await connect(sshd, { hostKey: other, settings: { hostKeys: [sshd.hostKeys.ecdsa ?? ''] } })
    expect(connection.details.hostKey).toContain('ecdsa')
  })
})

describe('private keys', () => {
  it('tries the usual names, each over one connection, and says which was taken', async () => {
    const sshd = await serve({ config: ['MaxStartups 1'] })
    await generateKey(join(home, '.ssh', 'id_ed25519'))
    await copyFile(sshd.privateKey, join(home, '.ssh', 'id_rsa'))
    const connection = await connect(sshd, { privateKey: undefined })
    expect(connection.details.privateKey).toContain(join(home, '.ssh', 'id_rsa'))
    expect(sshd.log().match(/^Connection from/gm)).toHaveLength(1)
  })

  it('names every key it tried and every one it could not, and what the server would take', async () => {
    const sshd = await serve({ config: ['AuthenticationMethods any', 'KbdInteractiveAuthentication no', 'PasswordAuthentication yes'] })
    await generateKey(join(home, '.ssh', 'id_ed25519'))
    await generateKey(join(home, '.ssh', 'id_ecdsa'), 'ecdsa', '-N', 'a passphrase')
    const failure = await failureOf(connect(sshd, { privateKey: undefined }))
    expect(failure.code).toBe('authentication-refused')
    expect(failure.message).toMatch(/tried .*id_ed25519 \(ssh-ed25519 SHA256:.*; not tried: .*id_ecdsa: .*passphrase.*; the server would take: publickey, password/)
  })

  it('reports one that is encrypted if there is no other', async () => {
    const sshd = await serve()
    await generateKey(join(home, '.ssh', 'id_ecdsa'), 'ecdsa', '-N', 'a passphrase')
    expect((await failureOf(connect(sshd, { privateKey: undefined }))).code).toBe('private-key-encrypted')
  })

  it.each([
    ['RSA, OpenSSH', 'rsa', []],
    ['RSA, PEM', 'rsa', ['-m', 'PEM']],
    ['RSA, PKCS#8', 'rsa', ['-m', 'PKCS8']],
    ['ECDSA, OpenSSH', 'ecdsa', []],
    ['ECDSA, PEM', 'ecdsa', ['-m', 'PEM']],
    ['ECDSA, PKCS#8', 'ecdsa', ['-m', 'PKCS8']],
  ] as const)('logs in with a key of type %s', async (_, type, options) => {
    const path = join(home, 'key')
    const line = await generateKey(path, type, ...options)
    const sshd = await serve({ authorizedKey: line })
    const connection = await connect(sshd, { privateKey: path })
    expect(connection.details.privateKey).toContain(path)
  })

  it('recognises an encrypted PKCS#8 key and a public key', async () => {
    const sshd = await serve()
    const path = join(home, 'key')
    await generateKey(path, 'rsa', '-m', 'PEM')
    const encrypted = createPrivateKey(await readFile(path)).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'a passphrase' })
    await writeFile(join(home, 'encrypted'), encrypted)
    expect((await failureOf(connect(sshd, { privateKey: join(home, 'encrypted') }))).code).toBe('private-key-encrypted')
    const failure = await failureOf(connect(sshd, { privateKey: `${path}.pub` }))
    expect(failure.code).toBe('private-key-invalid')
    expect(failure.message).toContain('.pub')
  })

  it.skipIf(process.getuid?.() !== 0)('says who may read one that we may not, and who we are', async () => {
    const sshd = await serve()
    process.seteuid?.(65_534)
    try {
      const failure = await failureOf(connect(sshd))
      expect(failure.code).toBe('private-key-unreadable')
      expect(failure.message).toMatch(/readable only by uid 0 \(root\); we run as uid 65534 \(nobody\)/)
    } finally {
      process.seteuid?.(0)
    }
  })
})

describe('algorithms', () => {
  it('prefers AES-128-GCM and no compression, and says what runs', async () => {
    const { details } = await connect(await serve())
    expect(details).toMatchObject({ cipher: 'aes128-gcm@openssh.com', compression: 'none', keyExchange: 'curve25519-sha256', nativeCrypto: 'yes' })
    expect(details.server).toMatch(/^OpenSSH_/)
  })

  it.each([
    ['zlib@openssh.com,zlib', 'yes', 'zlib@openssh.com'],
    ['zlib', 'yes', 'none'],
    ['zlib@openssh.com,zlib', 'no', 'none'],
    ['none', 'yes', 'none'],
  ])('negotiates compression: asked for %s, server says %s, gets %s', async (compression, server, negotiated) => {
    const connection = await connect(await serve({ config: [`Compression ${server}`] }), { compression })
    expect(connection.details.compression).toBe(negotiated)
    expect(await say(connection, 'hello')).toBe('hello')
  })

  it.each(['zlib@openssh.com', 'none'])('survives the loss of a connection in full use with compression %s', async (compression) => {
    const sshd = await serve()
    const connection = await connect(sshd, { compression })
    const process = await connection.exec(['cat'], { signal: never })
    const flow = failureOf(Promise.all([pipeline(Readable.from(function* () { for (;;) yield Buffer.alloc(65_536) }()), process.stdin), pipeline(process.stdout, async function* (source) { for await (const _ of source) yield Buffer.alloc(0) }, async function (source) { for await (const _ of source); })]))
    await once(process.stdout, 'data')
    await sshd.signalSessions('SIGKILL')
    expect((await flow).code).toBe('connection-lost')
    expect((await failureOf(process.exit)).code).toBe('connection-lost')
  })

  it('warns of a compression it does not know', async () => {
    const messages: string[] = []
    await connect(await serve(), { compression: 'zstd,zlib@openssh.com' }, {}, messages)
    expect(messages).toEqual([expect.stringContaining('zstd')])
  })

  it.each(['aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes128-ctr', 'aes256-ctr'])('speaks %s', async (cipher) => {
    const connection = await connect(await serve({ config: [`Ciphers ${cipher}`] }))
    expect(connection.details.cipher).toBe(cipher)
    expect(await say(connection, 'hello')).toBe('hello')
  })

  it('says what both sides offer where nothing is common, and speaks old algorithms when told', async () => {
    const sshd = await serve({ config: ['Ciphers aes256-cbc', 'MACs hmac-sha1', 'KexAlgorithms diffie-hellman-group14-sha1'] })
    const failure = await failureOf(connect(sshd))
    expect(failure.code).toBe('no-common-algorithm')
    expect(failure.message).toMatch(/key exchange method.*we offer curve25519-sha256.*the server offers diffie-hellman-group14-sha1.*legacyAlgorithms/)
    const connection = await connect(sshd, { settings: { legacyAlgorithms: true } })
    expect(connection.details).toMatchObject({ cipher: 'aes256-cbc', mac: 'hmac-sha1', keyExchange: 'diffie-hellman-group14-sha1' })
    expect(await say(connection, 'hello')).toBe('hello')
  })

  it('keeps streams whole while keys are exchanged anew', async () => {
    const connection = await connect(await serve({ config: ['RekeyLimit 1M'] }))
    const process = await connection.exec(['cat'], { signal: never })
    process.stderr.resume()
    const chunk = Buffer.alloc(65_536, 'rekeying ')
    const [, all] = await Promise.all([
      pipeline(Readable.from(function* () { for (let count = 0; count < 128; count++) yield chunk }()), process.stdin),
      buffer(process.stdout),
    ])
    expect(all.equals(Buffer.concat(Array.from({ length: 128 }, () => chunk)))).toBe(true)
  })
})

describe('a server that is busy or ill', () => {
  it('is busy when MaxStartups drops the connection, to be tried again later', async () => {
    const sshd = await serve({ config: ['MaxStartups 1:100:1'] })
    const occupant: Socket = connectTcp(sshd.port, '127.0.0.1')
    await once(occupant, 'data')
    const failure = await failureOf(connect(sshd))
    expect(failure).toMatchObject({ code: 'server-busy', retry: 'later' })
    expect(failure.message).toContain('MaxStartups')
    occupant.destroy()
  })

  it('times out in the handshake when stopped before it speaks', async () => {
    const sshd = await serve()
    sshd.signalListener('SIGSTOP')
    const begin = performance.now()
    const failure = await failureOf(connect(sshd, {}, { handshakeMs: 300 }))
    expect(failure.code).toBe('handshake-timeout')
    expect(failure.message).toContain('no SSH server spoke')
    expect(performance.now() - begin).toBeLessThan(usual.handshakeMs)
    sshd.signalListener('SIGCONT')
  })

  it('times out in the handshake when it stops after its greeting', async () => {
    const sshd = await serve()
    const muted = createServer((socket) => {
      const upstream = connectTcp(sshd.port, '127.0.0.1')
      socket.on('error', () => undefined).on('close', () => upstream.destroy()).pipe(upstream)
      upstream.once('data', (greeting: Buffer) => socket.write(greeting))
    }).listen(0, '127.0.0.1')
    await once(muted, 'listening')
    const address = muted.address() as { port: number }
    const failure = await failureOf(connect(sshd, { port: address.port }, { handshakeMs: 300 }))
    expect(failure.code).toBe('handshake-timeout')
    expect(failure.message).toMatch(/did not complete the key exchange|did not answer to the authentication/)
    muted.close()
  })

  it('is lost when it dies in the middle of the handshake', async () => {
    const port = await freePort()
    const dying = createServer((socket) => socket.on('error', () => undefined).write('SSH-2.0-OpenSSH_9.9\r\n', () => setTimeout(() => socket.resetAndDestroy(), 50))).listen(port, '127.0.0.1')
    await once(dying, 'listening')
    const sshd = await serve()
    const failure = await failureOf(connect(sshd, { port }))
    expect(failure).toMatchObject({ code: 'connection-lost', report: { step: 'exchanging keys' } })
    dying.close()
  })

  it('sends nonsense after its greeting', async () => {
    const port = await freePort()
    const odd = createServer((socket) => socket.on('error', () => undefined).write(`SSH-2.0-OpenSSH_9.9\r\n${'nonsense '.repeat(10_000)}`)).listen(port, '127.0.0.1')
    await once(odd, 'listening')
    const sshd = await serve()
    const failure = await failureOf(connect(sshd, { port }, { handshakeMs: 2000 }))
    expect(failure.code).toBe('connection-lost')
    odd.close()
  })
})

describe('channels', () => {
  it('says that forwarding to sockets is switched off where something listens, and opens it where it is not', async () => {
    const sshd = await serve({ config: ['AllowStreamLocalForwarding no'] })
    const path = join(home, 'socket')
    const server = createServer().listen({ path, readableAll: true, writableAll: true })
    await once(server, 'listening')
    await chmod(home, 0o755)
    const connection = await connect(sshd)
    const failure = await failureOf(connection.openSocket?.(path, { signal: never }) ?? Promise.resolve())
    expect(failure.code).toBe('forwarding-refused')
    expect(failure.message).toContain('AllowStreamLocalForwarding')
    const missing = await failureOf(connection.openSocket?.(`${path}-missing`, { signal: never }) ?? Promise.resolve())
    expect(missing.code).toBe('socket-unavailable')
    server.close()
    // As guix-daemon does it: named from within its folder.
    const elsewhere = join(home, 'folder')
    await mkdir(elsewhere)
    const relative = spawn(process.execPath, ['-e', 'require("net").createServer().listen({ path: "./relative", readableAll: true, writableAll: true }, () => console.log("ready"))'], { cwd: elsewhere, stdio: ['ignore', 'pipe', 'inherit'] })
    await once(relative.stdout, 'data')
    const forbidden = await failureOf(connection.openSocket?.(`${elsewhere}/relative`, { signal: never }) ?? Promise.resolve())
    relative.kill('SIGKILL')
    await once(relative, 'exit')
    expect(forbidden.code).toBe('forwarding-refused')
    const silent = await failureOf(connection.openSocket?.(`${elsewhere}/relative`, { signal: never }) ?? Promise.resolve())
    expect(silent.message).toContain('nothing listens on it')
  })

  it('says of a socket whose queue is full that it may be had later', async () => {
    const path = join(home, 'full')
    await using _full = await fullSocket(path)
    await chmod(home, 0o755)
    const connection = await connect(await serve())
    expect(await failureOf(connection.openSocket?.(path, { signal: never }) ?? Promise.resolve())).toMatchObject({ code: 'forwarding-refused', retry: 'later' })
  })

  it('refuses more than MaxSessions, later to be had', async () => {
    const connection = await connect(await serve({ config: ['MaxSessions 2'] }))
    const processes = [await connection.exec(['cat'], { signal: never }), await connection.exec(['cat'], { signal: never })]
    const failure = await failureOf(connection.exec(['cat'], { signal: never }))
    expect(failure).toMatchObject({ code: 'channel-refused', retry: 'later' })
    expect(failure.message).toContain('MaxSessions')
    for (const process of processes) process.stdin.end()
    await Promise.all(processes.map((process) => Promise.all([process.exit, buffer(process.stdout), buffer(process.stderr)])))
    expect(await say(connection, 'free again')).toBe('free again')
  })

  it('leaves sockets out where the server is not OpenSSH, and does not invent an end that was not told', async () => {
    const hostKey = join(home, 'host')
    const line = await generateKey(hostKey)
    const userKey = join(home, 'user')
    await generateKey(userKey)
    const server = new ssh2.Server({ hostKeys: [await readFile(hostKey)], ident: 'Other_1.2' }, (client) => {
      client.on('error', () => undefined).on('authentication', (attempt) => attempt.accept()).on('session', (accept) => {
        accept().on('exec', (acceptExec) => acceptExec().close())
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    cleanUp.push(async () => server.close())
    const machine = buildMachine({ port: (server.address() as { port: number }).port, hostKey: line, privateKey: userKey })
    const connection = await ssh2Transport(pluginHost()).connect(machine, { signal: never, homeDirectory: home, timeouts: usual })
    cleanUp.push(() => connection.close())
    expect(connection.details.server).toBe('Other_1.2')
    expect('openSocket' in connection).toBe(false)
    const process = await connection.exec(['anything'], { signal: never })
    process.stdout.resume()
    process.stderr.resume()
    expect((await failureOf(process.exit)).code).toBe('exit-unknown')
  })

  it('does not grow when one output is read and the other is not', async () => {
    const connection = await connect(await serve())
    const process = await connection.exec(['sh', '-c', 'head -c 200000000 /dev/zero & head -c 200000000 /dev/zero >&2; wait'], { signal: never })
    let read = 0
    process.stderr.on('data', (chunk: Buffer) => { read += chunk.length })
    for (let before = -1; before !== read; await new Promise((resolve) => setTimeout(resolve, 400))) before = read
    // Both share one window of 2 MiB: with one output not read, the other stops as well.
    expect(read).toBeLessThan(16_000_000)
    expect(globalThis.process.memoryUsage().arrayBuffers).toBeLessThan(64_000_000)
    process.stdout.resume()
    expect((await process.exit).code).toBe(0)
  })
})

it('has the signature of a key exchange in its hands before it is checked', async () => {
  const sshd = await serve({ hostKeys: ['rsa'] })
  const greet = async (mend: (signature: Buffer) => Buffer) => {
    const client = new ssh2.Client()
    const hostVerifier = () => {
      mendSignature(client, mend)
      return true
    }
    client.connect({ host: '127.0.0.1', port: sshd.port, username: 'nobody', hostVerifier, authHandler: () => false as never })
    const outcome = await once(client, 'handshake').then(() => 'greeted', (error: unknown) => (error as Error).message)
    client.on('error', () => undefined).destroy()
    return outcome
  }
  const seen: Buffer[] = []
  expect(await greet((signature) => {
    seen.push(signature)
    return signature
  })).toBe('greeted')
  expect(seen[0]?.subarray(4, 16).toString()).toBe('rsa-sha2-512')
  expect(await greet((signature) => signature.fill(1, signature.length - 8))).toMatch(/signature verification failed/)
})

it('lets go of everything when closed', async () => {
  const sshd = await serve()
  const held = (kind: string): number => process.getActiveResourcesInfo().filter((name) => name === kind).length
  const before = { sockets: held('TCPSocketWrap'), timers: held('Timeout') }
  const connection = await connect(sshd)
  await say(connection, 'hello')
  expect(held('TCPSocketWrap')).toBeGreaterThan(before.sockets)
  expect(held('Timeout')).toBeGreaterThan(before.timers)
  await connection.close()
  expect(held('TCPSocketWrap')).toBe(before.sockets)
  // The test runner has short timers of its own; ours would last for a minute.
  await vi.waitFor(() => expect(held('Timeout')).toBeLessThanOrEqual(before.timers), 15_000)
})
