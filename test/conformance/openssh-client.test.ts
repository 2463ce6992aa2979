/** What transport openssh does beyond what every transport must: the shared control master, jump hosts, ssh_config, and sshd's limits. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { connect as connectTcp, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { opensshTransport } from '../../plugins/transport-openssh/src/openssh-transport.js'
import type { BuildMachine, Connection, ConnectTimeouts, OffloadFailure } from '../../src/plugin-api/index.js'
import { failureOf, say } from '../support/connections.js'
import { fullSocket } from '../support/full-queue.js'
import { buildMachine, pluginHost } from '../support/plugin-host.js'
import { generateKey, startSshd, type Sshd, type SshdOptions } from '../support/sshd.js'

const run = promisify(execFile)
const never = new AbortController().signal
const usual: ConnectTimeouts = { connectMs: 5000, handshakeMs: 10_000, keepAliveMs: 15_000, keepAliveMisses: 4 }

let home: string
let folder: string
const cleanUp: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'guix-offload-home-'))
  folder = join(home, 'ssh')
  await mkdir(join(home, '.ssh'))
  await chmod(home, 0o755)
  cleanUp.push(() => rm(home, { recursive: true, force: true }))
})
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
})

async function serve(options: SshdOptions = {}): Promise<Sshd> {
  const sshd = await startSshd(options)
  // Its masters end with it.
  cleanUp.push(() => sshd.stop())
  return sshd
}

/** ssh says nothing of it: on a busy host the refusal may come after the stream, to whoever reads. */
const refusalOf = (connection: Connection, path: string) =>
  failureOf(Promise.resolve(connection.openSocket?.(path, { signal: never })).then((stream) => stream === undefined ? undefined : buffer(stream)))

function machineOf(sshd: Sshd, changes: Partial<BuildMachine> = {}): BuildMachine {
  return buildMachine({ port: sshd.port, user: sshd.user, hostKey: sshd.hostKeys.ed25519 ?? '', privateKey: sshd.privateKey, ...changes })
}

async function connect(sshd: Sshd, changes: Partial<BuildMachine> = {}, timeouts: Partial<ConnectTimeouts> = {}, signal = never): Promise<Connection> {
  const transport = opensshTransport({ ...pluginHost(), options: { folder } })
  const connection = await transport.connect(machineOf(sshd, changes), { signal, homeDirectory: home, timeouts: { ...usual, ...timeouts } })
  cleanUp.push(() => connection.close())
  return connection
}

/** Processes of ours with the folder in their command line. */
async function sshProcesses(): Promise<string[]> {
  const all = await Promise.all((await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(async (pid) => {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return words.includes(folder) && words.split('\0')[0]?.endsWith('ssh') === true ? [pid] : []
  }))
  return all.flat()
}

/** What it has open; what it closes meanwhile is left out. */
async function filesOf(pid: string): Promise<string[]> {
  return Promise.all((await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')))
}

const logins = (sshd: Sshd): number => (sshd.log().match(/^Accepted publickey/gm) ?? []).length

/** Runs in a process of its own; `argv[2]` is what it takes to connect. */
const user = `
import contribute from ${JSON.stringify(new URL('../../plugins/transport-openssh/dist/contribute.js', import.meta.url).href)}
const { machine, timeouts, homeDirectory, folder } = JSON.parse(process.argv[2])
const quiet = () => undefined
const errors = new Proxy({}, { get: (_target, kind) => (kind === 'is' ? () => false : (report) => Object.assign(new Error(report.problem), { fault: kind, report })) })
let make
await contribute({ registrar: { transport: (_name, factory) => (make = factory) } })
const host = { errors, log: { debug: quiet, info: quiet, warn: quiet }, options: { folder } }
const connection = await (await make(host)).connect(machine, { signal: new AbortController().signal, homeDirectory, timeouts })
const command = await connection.exec(['echo', 'done'], { signal: new AbortController().signal })
command.stdout.pipe(process.stdout)
command.stderr.resume()
await command.exit
await connection.close()
`

async function startUser(sshd: Sshd) {
  const program = join(home, 'user.mjs')
  await writeFile(program, user)
  const child = spawn(process.execPath, [program, JSON.stringify({ machine: machineOf(sshd), timeouts: usual, homeDirectory: home, folder })], { stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'pipe'] })
  const read = (fd: number) => text(child.stdio[fd] as NodeJS.ReadableStream)
  return { child, stdout: read(1), stderr: read(2), log: read(4) }
}

describe('the control master', () => {
  it('is shared: whoever comes later logs in no more, and need not wait', async () => {
    const sshd = await serve()
    const alone = performance.now()
    const first = await connect(sshd)
    const login = performance.now() - alone
    expect(await say(first, 'one')).toBe('one')
    await first.close()
    const times: number[] = []
    for (let round = 0; round < 10; round++) {
      const begin = performance.now()
      const connection = await connect(sshd)
      times.push(performance.now() - begin)
      if (round === 0) expect(await say(connection, 'two')).toBe('two')
      expect(connection.details).toEqual(first.details)
      expect(connection.roundTripMs).toBe(first.roundTripMs)
      await connection.close()
    }
    expect(logins(sshd)).toBe(1)
    expect(await sshProcesses()).toHaveLength(1)
    expect(times.sort((a, b) => a - b)[5]).toBeLessThan(login / 2)
  })

  it('is one where many processes start at the same time', async () => {
    const sshd = await serve()
    const users = await Promise.all(Array.from({ length: 6 }, () => startUser(sshd)))
    const outputs = await Promise.all(users.map(async ({ stdout, stderr }) => [await stdout, await stderr]))
    expect(outputs).toEqual(outputs.map(() => ['done\n', '']))
    expect(logins(sshd)).toBe(1)
    expect(await sshProcesses()).toHaveLength(1)
  })

  it('holds none of the files of the process that started it', async () => {
    const sshd = await serve()
    const { child, stdout, stderr, log } = await startUser(sshd)
    await once(child, 'exit')
    // Each would wait for the master's end if it had them.
    const all = Promise.all([stdout, stderr, log])
    expect(await Promise.race([all, sleep(2000, 'still open')])).toEqual(['done\n', '', ''])
    const [master] = await sshProcesses()
    const files = await filesOf(master ?? '')
    expect(files.length).toBeGreaterThan(3)
    expect(files.filter((file) => file.endsWith('.lock'))).toEqual([])
    expect((await readFile(`/proc/${master}/stat`, 'utf8')).split(' ').slice(4, 6)).not.toContain(String(child.pid))
  })

  it('is replaced when it has died and left its socket', async () => {
    const sshd = await serve()
    const first = await connect(sshd)
    process.kill(Number(first.details.controlMaster), 'SIGKILL')
    expect((await first.closed as OffloadFailure).code).toBe('connection-lost')
    expect((await stat(first.details.controlSocket ?? '')).isSocket()).toBe(true)
    const second = await connect(sshd)
    expect(await say(second, 'again')).toBe('again')
    expect(second.details.controlMaster).not.toBe(first.details.controlMaster)
    expect(logins(sshd)).toBe(2)
  })

  it('is replaced when it does not answer', async () => {
    const sshd = await serve()
    const first = await connect(sshd)
    await first.close()
    const pid = Number(first.details.controlMaster)
    process.kill(pid, 'SIGSTOP')
    cleanUp.push(async () => process.kill(pid, 'SIGKILL'))
    const second = await connect(sshd)
    expect(await say(second, 'again')).toBe('again')
  }, 20_000)

  it('takes no newcomers when the machine does not answer, without harm to those who wait', async () => {
    const sshd = await serve()
    const first = await connect(sshd)
    // All of its processes are there once it has run something.
    await say(first, 'settled')
    await sshd.signalSessions('SIGSTOP')
    const failure = await failureOf((await connect(sshd, {}, { handshakeMs: 500 })).exec(['true'], { signal: never }))
    expect(failure.code).toBe('connection-lost')
    const second = await connect(sshd)
    expect(await say(second, 'fresh')).toBe('fresh')
    expect(second.details.controlMaster).not.toBe(first.details.controlMaster)
    await sshd.signalSessions('SIGCONT')
    expect(await say(first, 'patient')).toBe('patient')
  })

  it('can be told to go, by hand too, and leaves nothing running', async () => {
    const sshd = await serve()
    const connection = await connect(sshd)
    await run('ssh', ['-F', 'none', '-S', connection.details.controlSocket ?? '', '-O', 'exit', 'any'])
    expect((await connection.closed as OffloadFailure).code).toBe('connection-lost')
    expect(await sshProcesses()).toEqual([])
  })

  it('keeps its socket where only we can go, listens on no port, and leaves no files of channels', async () => {
    const sshd = await serve()
    const connection = await connect(sshd)
    const path = join(home, 'socket')
    const server = createServer((socket) => socket.end('hello')).listen({ path, readableAll: true, writableAll: true })
    await once(server, 'listening')
    const stream = await connection.openSocket?.(path, { signal: never })
    expect(stream === undefined ? '' : await text(stream)).toBe('hello')
    await say(connection, 'something')
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    const name = (connection.details.controlSocket ?? '').slice(folder.length + 1)
    expect((await readdir(folder)).sort()).toEqual([name, `${name}.json`, `${name}.lock`])
    const inodes = await filesOf(connection.details.controlMaster ?? '')
    const listening = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === '0A').map((fields) => `socket:[${fields[9]}]`)
    expect(inodes.filter((inode) => listening.includes(inode))).toEqual([])
    server.close()
  })

  it('is not used by connections that want another', async () => {
    const sshd = await serve()
    const plain = await connect(sshd)
    const compressed = await connect(sshd, { compression: 'zlib@openssh.com,zlib' })
    expect(plain.details.compression).toBe('none')
    expect(compressed.details).toMatchObject({ compression: 'zlib@openssh.com', cipher: 'aes128-gcm@openssh.com' })
    expect(logins(sshd)).toBe(2)
  })

  it('leaves no ssh behind when its start is aborted', async () => {
    const sshd = await serve()
    sshd.signalListener('SIGSTOP')
    const controller = new AbortController()
    const attempt = failureOf(connect(sshd, {}, {}, controller.signal))
    await sleep(300)
    expect(await sshProcesses()).toHaveLength(1)
    controller.abort(new Error('enough'))
    expect((await attempt).message).toBe('enough')
    await sleep(100)
    expect(await sshProcesses()).toEqual([])
    sshd.signalListener('SIGCONT')
  })
})

describe('the folder', () => {
  it('is refused when others could put their own socket there', async () => {
    const sshd = await serve()
    await mkdir(join(home, 'open'))
    await chmod(join(home, 'open'), 0o777)
    folder = join(home, 'open', 'ssh')
    expect((await failureOf(connect(sshd))).message).toContain(`others may write to ${join(home, 'open')}`)
    folder = join(home, 'link')
    await symlink(join(home, 'open'), folder)
    expect((await failureOf(connect(sshd))).message).toContain('it is not a folder')
    folder = join(home, 'x'.repeat(80))
    expect(await failureOf(connect(sshd))).toMatchObject({ code: 'no-private-folder', fault: 'configuration' })
  })
})

describe('sshd\'s limits', () => {
  it('MaxStartups is waited out', async () => {
    const sshd = await serve({ config: ['MaxStartups 1:100:1'] })
    const occupant = connectTcp(sshd.port, '127.0.0.1')
    await once(occupant, 'data')
    setTimeout(() => occupant.destroy(), 500)
    expect(await say(await connect(sshd), 'in')).toBe('in')
    expect(sshd.log()).toMatch(/drop connection|beginning MaxStartups throttling/)
  })

  it('MaxStartups is no sign of a dead machine when patience ends', async () => {
    const sshd = await serve({ config: ['MaxStartups 1:100:1'] })
    const occupant = connectTcp(sshd.port, '127.0.0.1')
    await once(occupant, 'data')
    const begin = performance.now()
    const failure = await failureOf(connect(sshd, {}, { connectMs: 700 }))
    expect(failure).toMatchObject({ code: 'server-busy', retry: 'later' })
    expect(failure.message).toContain('MaxStartups')
    expect(performance.now() - begin).toBeLessThan(usual.connectMs)
    occupant.destroy()
  })

  it('MaxSessions is waited out, and no reason to give the machine up', async () => {
    const sshd = await serve({ config: ['MaxSessions 1'] })
    const connection = await connect(sshd)
    const first = await connection.exec(['cat'], { signal: never })
    setTimeout(() => first.stdin.end(), 400)
    expect(await say(connection, 'second')).toBe('second')
    const third = await (await connect(sshd)).exec(['cat'], { signal: never })
    const failure = await failureOf(connection.exec(['true'], { signal: never }))
    expect(failure).toMatchObject({ code: 'channel-refused', retry: 'later' })
    expect(failure.message).toContain('MaxSessions')
    third.stdin.end()
    await third.exit
    expect(await say(connection, 'fourth')).toBe('fourth')
  })

  it('says of a socket whose queue is full that it may be had later', async () => {
    const path = join(home, 'full')
    await using _full = await fullSocket(path)
    await chmod(home, 0o755)
    const connection = await connect(await serve())
    expect(await refusalOf(connection, path)).toMatchObject({ code: 'forwarding-refused', retry: 'later' })
  })

  it('forwarding to sockets can be switched off', async () => {
    const sshd = await serve({ config: ['AllowStreamLocalForwarding no'] })
    const path = join(home, 'socket')
    const server = createServer().listen({ path, readableAll: true, writableAll: true })
    await once(server, 'listening')
    const connection = await connect(sshd)
    const failure = await refusalOf(connection, path)
    expect(failure.code).toBe('forwarding-refused')
    expect(failure.message).toContain('AllowStreamLocalForwarding')
    expect((await refusalOf(connection, `${path}-missing`)).code).toBe('socket-unavailable')
    server.close()
  })
})

describe('on the way', () => {
  it('goes through a jump host, whose key must be known', async () => {
    const gate = await serve()
    const sshd = await serve({ authorizedKey: (await readFile(`${gate.privateKey}.pub`, 'utf8')).trim() })
    const privateKey = join(home, 'key')
    await copyFile(gate.privateKey, privateKey)
    const changes = { privateKey, settings: { proxyJump: `${gate.user}@127.0.0.1:${gate.port}` } }
    const stranger = await failureOf(connect(sshd, changes))
    expect(stranger.code).toBe('host-key-mismatch')
    expect(stranger.message).toMatch(/going through .*known_hosts/)
    await writeFile(join(home, '.ssh', 'known_hosts'), `[127.0.0.1]:${gate.port} ${gate.hostKeys.ed25519}\n`)
    const connection = await connect(sshd, changes)
    expect(await say(connection, 'through')).toBe('through')
    expect(connection.details.jump).toBe(`${gate.user}@127.0.0.1:${gate.port}`)
    expect(connection.roundTripMs).toBeLessThan(usual.connectMs)
    expect([logins(gate), logins(sshd)]).toEqual([1, 1])
    // Checked end to end.
    const other = await generateKey(join(home, 'other'))
    expect((await failureOf(connect(sshd, { ...changes, hostKey: other }))).message).toMatch(/expected ssh-ed25519 SHA256:.*, seen ssh-ed25519 SHA256:/)
    await gate.stop()
    expect(codeOf(await connection.closed)).toBe('connection-lost')
    expect(codeOf(await failureOf(connect(sshd, changes)))).toBe('connection-refused')
  })

  it('reads the user\'s ssh_config only when told, and believes no key because of it', async () => {
    const sshd = await serve()
    const config = join(home, 'config')
    await writeFile(config, `Host alias\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  IdentityFile ${sshd.privateKey}\n  ControlPath /nowhere\n  StrictHostKeyChecking no\n`)
    const alias = { name: 'alias', port: 22, privateKey: undefined }
    expect((await failureOf(connect(sshd, { ...alias, privateKey: sshd.privateKey }))).code).toBe('name-not-found')
    const connection = await connect(sshd, { ...alias, settings: { sshConfig: config } })
    expect(await say(connection, 'by alias')).toBe('by alias')
    const other = await generateKey(join(home, 'other'))
    expect((await failureOf(connect(sshd, { ...alias, hostKey: other, settings: { sshConfig: config } }))).code).toBe('host-key-mismatch')
    await writeFile(config, 'Hots alias\n')
    expect((await failureOf(connect(sshd, { ...alias, user: 'someone', settings: { sshConfig: config } }))).code).toBe('ssh-config-invalid')
  })

  it('says what the server offers where nothing is common, and speaks old algorithms when told', async () => {
    const sshd = await serve({ config: ['Ciphers aes256-cbc', 'MACs hmac-sha1', 'KexAlgorithms diffie-hellman-group14-sha1'] })
    const failure = await failureOf(connect(sshd))
    expect(failure.code).toBe('no-common-algorithm')
    expect(failure.message).toMatch(/key exchange method.*the server offers diffie-hellman-group14-sha1.*legacyAlgorithms/)
    const connection = await connect(sshd, { settings: { legacyAlgorithms: true } })
    expect(connection.details).toMatchObject({ cipher: 'aes256-cbc', mac: 'hmac-sha1', keyExchange: 'diffie-hellman-group14-sha1' })
    expect(await say(connection, 'old')).toBe('old')
  })

  it('accepts an additional key, and shows the server\'s where it has none of the pinned type', async () => {
    const sshd = await serve({ hostKeys: ['ecdsa'] })
    const other = await generateKey(join(home, 'other'))
    expect((await failureOf(connect(sshd, { hostKey: other }))).message).toMatch(/no host key of the pinned type.*expected ssh-ed25519 SHA256:.*, seen ecdsa-sha2-nistp256 SHA256:/)
    const connection = await connect(sshd, { hostKey: other, settings: { hostKeys: [sshd.hostKeys.ecdsa ?? ''] } })
    expect(connection.details.hostKey).toContain('ecdsa')
  })

  it('uses the usual private keys, and says why not', async () => {
    const sshd = await serve()
    await generateKey(join(home, '.ssh', 'id_ecdsa'), 'ecdsa', '-N', 'a passphrase')
    expect((await failureOf(connect(sshd, { privateKey: undefined }))).code).toBe('private-key-encrypted')
    await generateKey(join(home, '.ssh', 'id_ed25519'))
    const failure = await failureOf(connect(sshd, { privateKey: undefined }))
    expect(failure.code).toBe('authentication-refused')
    expect(failure.message).toMatch(/tried .*id_ed25519 .*SHA256:.*; not tried: .*id_ecdsa: .*passphrase.*; the server would take: publickey/)
    await chmod(sshd.privateKey, 0o644)
    expect((await failureOf(connect(sshd))).message).toMatch(/private-key|others than its owner may read it.*chmod 600/)
    await chmod(sshd.privateKey, 0o600)
    await writeFile(join(home, '.ssh', 'id_rsa'), await readFile(sshd.privateKey), { mode: 0o600 })
    expect((await connect(sshd, { privateKey: undefined })).details.privateKey).toContain('id_rsa')
  })
})

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}
