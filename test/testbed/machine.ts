import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { execa, type Options, type Result, type ResultPromise } from 'execa'
import { Avahi, type AvahiOptions } from './avahi.js'
import { type DaemonMode, type DaemonOptions, GuixDaemon } from './daemon.js'
import { enterCommand, type EnterOptions, isDoorway, programOf, type User } from './enter.js'
import type { Holder } from './holder.js'
import { Lshd, type LshdOptions } from './lshd.js'
import { commandLine, namespaceMembers, signalProcess } from './processes.js'
import type { GuixVersion } from './root-recipe.js'
import { quote } from './shell.js'
import { Sshd, type SshdOptions } from './sshd.js'

export interface RunOptions extends EnterOptions {
  readonly input?: string | Uint8Array | Readable | undefined
  /** Ends the command by SIGKILL. */
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
  /** Unless false, a failure throws. */
  readonly reject?: boolean | undefined
}

export type RunResult = Result<{ reject: boolean }>

/** What the bed knows about a machine when it makes the object. */
export interface MachineIdentity {
  readonly name: string
  readonly address: string
  readonly guix: GuixVersion
  readonly daemonMode: DaemonMode
  /** The machine's folder on the host. */
  readonly folder: string
}

/** What a machine asks of its bed. */
export interface MachineNetwork {
  setLink(state: 'up' | 'down'): Promise<unknown>
  setBandwidth(rate: string | undefined): Promise<unknown>
}

/** An SSH key pair as OpenSSH writes it. */
export interface KeyPair {
  readonly secret: string
  readonly public: string
}

export type UserKeys = Readonly<Record<'ed25519' | 'rsa', KeyPair>>

/** One Guix machine: namespaces, a file system, an address, a daemon, an SSH server. */
export class Machine implements AsyncDisposable {
  readonly name: string
  readonly address: string
  readonly guix: GuixVersion
  readonly daemonMode: DaemonMode
  readonly daemon: GuixDaemon
  /** The public host keys, each one line of `TYPE BASE64`. */
  hostKey = ''
  hostKeyRsa = ''
  /** The daemon's public signing key, as text. */
  signingKey = ''
  #sshd: Sshd | undefined
  #lshd: Lshd | undefined
  #avahi: Avahi | undefined
  #files = 0
  readonly #running = new Set<Promise<unknown>>()

  constructor(
    readonly identity: MachineIdentity,
    readonly holder: Holder,
    readonly network: MachineNetwork,
    readonly userKeys: UserKeys,
    daemon: DaemonOptions,
  ) {
    this.name = identity.name
    this.address = identity.address
    this.guix = identity.guix
    this.daemonMode = identity.daemonMode
    this.daemon = new GuixDaemon(this, identity.daemonMode, daemon)
  }

  get holderPid() {
    return this.holder.pid
  }

  /** The machine's file system as the host sees it. Absolute symbolic links below it lead astray: prefer readFile and writeFile. */
  get rootDir() {
    return `/proc/${this.holder.pid}/root`
  }

  /** Whom the daemon, and so its build hook, runs as. */
  get daemonUser(): User {
    return this.daemonMode === 'root' ? 'root' : 'guix-daemon'
  }

  logPath(service: string) {
    return join(this.identity.folder, 'logs', `${service}.log`)
  }

  /** Runs a command to its end. The environment is the machine's; a failure throws unless `reject` is false. */
  run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const { input, signal, timeoutMs, reject = true } = options
    const stdin = input === undefined ? { stdin: 'ignore' as const } : { input }
    return this.spawn(command, {
      reject, ...stdin, maxBuffer: 256 * 2 ** 20,
      ...(signal === undefined ? {} : { cancelSignal: signal }), ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    }, options) as unknown as Promise<RunResult>
  }

  /** Starts a command with execa's own options, for streams and the like. Kill it and what runs inside is killed too; see also `signal`. */
  spawn<O extends Options>(command: readonly string[], options?: O, enter: EnterOptions = {}): ResultPromise<O> {
    const [file = 'nsenter', ...args] = enterCommand(this.holder.pid, command, enter)
    const subprocess = execa(file, args, { killSignal: 'SIGKILL', ...options } as O)
    const settled = (subprocess as unknown as Promise<unknown>).then(() => undefined, () => undefined)
    this.#running.add(settled)
    void settled.finally(() => this.#running.delete(settled))
    return subprocess as unknown as ResultPromise<O>
  }

  /** Sends a signal to the program that `spawn` started (the subprocess itself is only the door into the machine). */
  async signal(subprocess: { readonly pid?: number | undefined }, signal: NodeJS.Signals) {
    return signalProcess(await programOf(subprocess.pid ?? -1), signal)
  }

  async sh(script: string, options: RunOptions = {}) {
    return (await this.run(['sh', '-ec', script], options)).stdout
  }

  /** Writes a file in the machine, making the folder; `mode` in octal, `owner` as for chown. */
  async writeFile(path: string, content: string | Uint8Array, mode = 0o644, owner = 'root') {
    const file = quote(path)
    const permissions = [`chown ${quote(owner)} ${file}`, `chmod ${mode.toString(8)} ${file}`]
    const steps = [`mkdir -p "$(dirname ${file})"`, `rm -f ${file}`, 'umask 077', `cat > ${file}`, ...permissions]
    await this.sh(steps.join('\n'), { input: content })
  }

  async readFile(path: string) {
    return (await this.run(['cat', path])).stdout
  }

  async guixCommand(args: readonly string[], options: RunOptions = {}) {
    return this.run(['guix', ...args], options)
  }

  /** Runs Scheme code in `guix repl` and returns what it printed. */
  async repl(code: string, options: RunOptions = {}) {
    const path = `/run/testbed-repl-${++this.#files}.scm`
    await this.writeFile(path, code)
    return (await this.run(['guix', 'repl', path], options)).stdout
  }

  /** Running programs in the machine, but for what the bed itself needs there. */
  async processes() {
    const pids = (await namespaceMembers(this.holder.pid)).filter((pid) => pid !== this.holder.pid)
    const rows = await Promise.all(pids.map(async (pid) => ({ hostPid: pid, command: await commandLine(pid) })))
    return rows.filter(({ command }) => command.length > 0 && !isDoorway(command))
  }

  get sshd() {
    if (this.#sshd === undefined) throw new Error(`No sshd was started on ${this.name}: call startSshd first`)
    return this.#sshd
  }

  /** Starts sshd; root logs in with the bed's user keys. */
  async startSshd(options: SshdOptions = {}) {
    await this.#sshd?.stop()
    this.#sshd = new Sshd(this, options)
    await this.#sshd.start()
    return this.#sshd
  }

  get lshd() {
    if (this.#lshd === undefined) throw new Error(`No lshd was started on ${this.name}: call startLshd first`)
    return this.#lshd
  }

  /** Starts GNU lshd, which shows `hostKeyRsa`; root logs in with the bed's RSA key. On port 22 it takes sshd's place. */
  async startLshd(options: LshdOptions = {}) {
    await this.#lshd?.stop()
    this.#lshd = new Lshd(this, options)
    await this.#lshd.start()
    return this.#lshd
  }

  get avahi() {
    if (this.#avahi === undefined) throw new Error(`No avahi-daemon was started on ${this.name}: call startAvahi first`)
    return this.#avahi
  }

  /** Starts avahi-daemon, which announces what is in /etc/avahi/services. */
  async startAvahi(options: AvahiOptions = {}) {
    await this.#avahi?.stop()
    this.#avahi = new Avahi(this, options)
    await this.#avahi.start()
    return this.#avahi
  }

  /** On the host, of those that run. */
  get sshServerPids(): readonly number[] {
    return [this.#sshd, this.#lshd].flatMap((server) => server?.running === true ? [server.pid] : [])
  }

  /**
   * Puts the private half of the bed's user key where the daemon's user, and so its hook, can read it; returns its path.
   * An SSH client looks for it by itself only if that is ~/.ssh of root.
   */
  async installUserKey(options: { readonly type?: keyof UserKeys; readonly path?: string; readonly owner?: User } = {}) {
    const { type = 'ed25519', path, owner = this.daemonUser } = options
    const target = path ?? (owner === 'root' ? `/root/.ssh/id_${type}` : `/etc/guix/offload/id_${type}`)
    await this.sh(`install -d -m 700 -o ${owner} ${quote(target.slice(0, target.lastIndexOf('/')))}`)
    await this.writeFile(target, this.userKeys[type].secret, 0o600, owner)
    // Guile-SSH in Guix 1.2 reads the public half from a file of its own.
    await this.writeFile(`${target}.pub`, this.userKeys[type].public, 0o644, owner)
    return target
  }

  /** Accepts what `other` signed. One way: see TestBed.authorize. */
  async authorizeKeyOf(other: Machine) {
    await this.guixCommand(['archive', '--authorize'], { input: other.signingKey, user: this.daemonUser })
  }

  /** Cuts the cable, silently: no FIN, no RST. */
  async disconnect() {
    await this.network.setLink('down')
  }

  async reconnect() {
    await this.network.setLink('up')
  }

  /** Limits the link both ways, in tc's notation (`10mbit`); undefined lifts the limit. */
  async limitBandwidth(rate: string | undefined) {
    await this.network.setBandwidth(rate)
  }

  /** Switches the machine off at once: its processes, mounts and interface are gone, its address answers no more. */
  async powerOff() {
    await this.holder.end()
    await Promise.all(this.#running)
  }

  async [Symbol.asyncDispose]() {
    await this.powerOff()
  }

  /** The log of a service on the host, by name. */
  async serviceLog(service: string) {
    return readFile(this.logPath(service), 'utf8').catch(() => '')
  }
}
