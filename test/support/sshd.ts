/**
 * A private OpenSSH server on 127.0.0.1, with its own host keys, account and configuration in a temporary folder. As root it serves an ordinary user `builder`,
 * whom only its own mount namespace knows; otherwise the user we are.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type KeyType = 'ed25519' | 'rsa' | 'ecdsa'

export interface SshdOptions {
  /** Lines of sshd_config; the first setting of a name wins, so these override the usual ones. */
  readonly config?: readonly string[]
  readonly hostKeys?: readonly KeyType[]
  /** Options in front of the accepted key in authorized_keys, such as `restrict`. */
  readonly keyOptions?: string
  /** The public half of a key to accept instead of the server's own. */
  readonly authorizedKey?: string
}

export interface Sshd {
  readonly port: number
  readonly user: string
  /** Belongs to the account that is served. */
  readonly folder: string
  /** Public halves, one line each. */
  readonly hostKeys: Readonly<Partial<Record<KeyType, string>>>
  /** Path of the accepted private key. */
  readonly privateKey: string
  /** Processes of open connections, sshd's own and the commands they run. */
  processes(): Promise<Process[]>
  /** To sshd's processes of open connections. */
  signalSessions(signal: NodeJS.Signals): Promise<void>
  /** To the listening process. */
  signalListener(signal: NodeJS.Signals): void
  /** What the server has logged so far. */
  log(): string
  stop(): Promise<void>
}

export interface Process {
  readonly pid: number
  readonly name: string
}

const program = '/usr/sbin/sshd'
const account = { name: 'builder', uid: 47110, gid: 47110 }

export async function generateKey(path: string, type: KeyType = 'ed25519', ...options: string[]): Promise<string> {
  await run('ssh-keygen', ['-q', '-t', type, ...(options.includes('-N') ? [] : ['-N', '']), '-C', 'test', '-f', path, ...options])
  return (await readFile(`${path}.pub`, 'utf8')).trim()
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const folder = await mkdtemp(join(tmpdir(), 'guix-offload-sshd-'))
  const root = process.getuid?.() === 0
  const user = root ? account.name : userInfo().username
  await chmod(folder, 0o755)
  const home = join(folder, 'home')
  await mkdir(home)
  const hostKeys: Partial<Record<KeyType, string>> = {}
  for (const type of options.hostKeys ?? ['ed25519']) hostKeys[type] = await generateKey(join(folder, `host_${type}`), type)
  const privateKey = join(folder, 'user_key')
  const publicKey = await generateKey(privateKey)
  await writeFile(join(folder, 'authorized_keys'), `${options.keyOptions === undefined ? '' : `${options.keyOptions} `}${options.authorizedKey ?? publicKey}\n`)
  if (root) {
    await chown(home, account.uid, account.gid)
    await writeFile(join(folder, 'passwd'), `${await readFile('/etc/passwd', 'utf8')}${account.name}:x:${account.uid}:${account.gid}::${home}:/bin/sh\n`)
    await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  }
  const port = await freePort()
  const config = join(folder, 'sshd_config')
  await writeFile(config, [
    ...(options.config ?? []),
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    ...Object.keys(hostKeys).map((type) => `HostKey ${join(folder, `host_${type}`)}`),
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    'AuthenticationMethods publickey',
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'PidFile none',
    'LogLevel VERBOSE',
    // The one setting of which the last line counts.
    options.config?.find((line) => line.startsWith('MaxStartups ')) ?? 'MaxStartups 100:30:200',
    '',
  ].join('\n'))
  const sshd = [program, '-D', '-e', '-f', config]
  const child = root
    ? spawn('unshare', ['--mount', 'sh', '-c', `mount --bind ${join(folder, 'passwd')} /etc/passwd && exec ${sshd.join(' ')}`], { stdio: ['ignore', 'ignore', 'pipe'] })
    : spawn(sshd[0] ?? program, sshd.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] })
  const { pid } = child
  if (pid === undefined) throw new Error(`${program} cannot be started: is Debian's openssh-server installed?`)
  let log = ''
  const listening = new Promise<void>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      log += `${line}\n`
      if (line.includes('Server listening on')) resolve()
    })
    child.once('exit', (code) => reject(new Error(`sshd ended with ${code}: ${log}`)))
  })
  await listening

  const processes = async (): Promise<Process[]> => descendants(pid)
  const signalSessions = async (signal: NodeJS.Signals): Promise<void> => {
    for (const each of await processes()) if (each.name.startsWith('sshd')) quietKill(each.pid, signal)
  }
  return {
    port,
    user,
    folder: home,
    hostKeys,
    privateKey,
    processes,
    signalSessions,
    signalListener: (signal) => void child.kill(signal),
    log: () => log,
    async stop() {
      const left = await processes()
      for (const each of left) quietKill(each.pid, 'SIGKILL')
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function quietKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}

async function descendants(root: number): Promise<Process[]> {
  const all = await Promise.all((await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(async (name) => {
    const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '')
    const match = /^(\d+) \((.*)\) (\S) (\d+) /s.exec(stat)
    return match === null ? [] : [{ pid: Number(match[1]), name: match[2] ?? '', state: match[3], parent: Number(match[4]) }]
  }))
  const living = all.flat().filter((each) => each.state !== 'Z')
  const found: Process[] = []
  for (let parents = [root]; parents.length > 0;) {
    const children = living.filter((each) => parents.includes(each.parent))
    found.push(...children.map(({ pid, name }) => ({ pid, name })))
    parents = children.map((each) => each.pid)
  }
  return found
}
