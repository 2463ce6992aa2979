/**
 * A private GNU lshd on 127.0.0.1, with its own host key, account and random seed in a temporary folder. As root it serves an ordinary user `builder`, whom only its
 * own mount namespace knows; otherwise the user we are. lshd is a single process for all connections.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort, generateKey } from './sshd.js'

const run = promisify(execFile)

export interface LshdOptions {
  /** The public half of a key to accept instead of the server's own, as an OpenSSH line. */
  readonly authorizedKey?: string
  /** Further options of lshd. */
  readonly options?: readonly string[]
}

export interface Lshd {
  readonly port: number
  readonly user: string
  /** Home of the account that is served. */
  readonly folder: string
  /** The host key as a line of OpenSSH's. */
  readonly hostKey: string
  /** Path of the accepted private key, as ssh-keygen made it. */
  readonly privateKey: string
  /** To the server, which stands for all of its connections. */
  signal(signal: NodeJS.Signals): void
  /** Kills it, and starts it again on the same port. */
  restart(): Promise<void>
  log(): string
  stop(): Promise<void>
}

const program = '/usr/sbin/lshd'
const account = { name: 'builder', uid: 47110, gid: 47110 }

/** Writes a key pair in lsh's format; the public half is at PATH.pub. Returns that as a line of OpenSSH's. */
export async function generateLshKey(path: string): Promise<string> {
  await withSeed(`${path}.seed`, 'lsh-keygen --algorithm=rsa --nist-level=2048 | lsh-writekey --crypto=none --output-file="$0"', path)
  return (await run('sh', ['-c', 'lsh-export-key --openssh < "$0"', `${path}.pub`])).stdout.trim()
}

/** A file of an s-expression in canonical form, named after its hash, is how lshd wants the keys it accepts. */
export async function authorizedKeyFile(openssh: string): Promise<{ readonly name: string, readonly content: Buffer }> {
  const { stdout } = await run('sh', ['-c', 'printf "%s\\n" "$0" | ssh-conv 2>/dev/null | sexp-conv --once --syntax=transport', openssh])
  const content = Buffer.from(stdout.trim().slice(1, -1), 'base64')
  const child = run('sexp-conv', ['--once', '--hash=sha1'])
  child.child.stdin?.end(content)
  return { name: (await child).stdout.trim(), content }
}

export async function startLshd({ authorizedKey, options = [] }: LshdOptions = {}): Promise<Lshd> {
  const folder = await mkdtemp(join(tmpdir(), 'guix-offload-lshd-'))
  const root = process.getuid?.() === 0
  const user = root ? account.name : userInfo().username
  await chmod(folder, 0o755)
  const home = join(folder, 'home')
  const keys = join(home, '.lsh', 'authorized_keys_sha1')
  await mkdir(keys, { recursive: true })
  const hostKeyFile = join(folder, 'host_key')
  const hostKey = await generateLshKey(hostKeyFile)
  const privateKey = join(folder, 'user_key')
  const publicKey = await generateKey(privateKey, 'rsa')
  const authorized = await authorizedKeyFile(authorizedKey ?? publicKey)
  await writeFile(join(keys, authorized.name), authorized.content)
  if (root) {
    for (const path of [home, join(home, '.lsh'), keys, join(keys, authorized.name)]) await chown(path, account.uid, account.gid)
    await writeFile(join(folder, 'passwd'), `${await readFile('/etc/passwd', 'utf8')}${account.name}:x:${account.uid}:${account.gid}::${home}:/bin/sh\n`)
  }
  const seed = join(folder, 'seed')
  await writeFile(seed, randomBytes(32), { mode: 0o600 })
  const port = await freePort()
  // The interface takes the port that was given before it.
  const command = [program, `--port=${port}`, '--interface=127.0.0.1', `--host-key=${hostKeyFile}`, '--no-pid-file', '--no-syslog', '--no-password', '--no-tcpwrappers', ...options]
  let child: ChildProcess
  let log = ''
  const start = async (): Promise<void> => {
    const [file = program, ...args] = root
      ? ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/passwd && exec "$@"', join(folder, 'passwd'), ...command]
      : command
    child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, LSH_YARROW_SEED_FILE: seed } })
    child.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString('latin1')
    })
    for (let tries = 0; !(await accepts(port)); tries++) {
      if (child.exitCode !== null || tries > 200) throw new Error(`lshd does not serve: ${log}`)
      await sleep(20)
    }
  }
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await start()
  return {
    port,
    user,
    folder: home,
    hostKey,
    privateKey,
    signal: (signal) => void child.kill(signal),
    async restart() {
      await kill()
      await start()
    },
    log: () => log,
    async stop() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function withSeed(seed: string, script: string, ...args: string[]): Promise<void> {
  await writeFile(seed, randomBytes(32), { mode: 0o600 })
  await run('sh', ['-ec', script, ...args], { env: { ...process.env, LSH_YARROW_SEED_FILE: seed } })
  await rm(seed)
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
