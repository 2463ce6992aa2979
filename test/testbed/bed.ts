import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { daemonFoldersScript, type DaemonMode, type DaemonOptions } from './daemon.js'
import { type Holder, startHolder } from './holder.js'
import { ensureHostTools } from './host-tools.js'
import { type Bind, mountScript } from './machine-mounts.js'
import { Machine, type UserKeys } from './machine.js'
import { addressOf, bridgeSetUp, plug, setBandwidth, setLink } from './network.js'
import { createBedFolder, removeBedFolder, sweep } from './owner.js'
import { type Relay, startRelay } from './relay.js'
import type { GuixVersion } from './root-recipe.js'
import { rootFileSystem } from './roots.js'
import type { SshdOptions } from './sshd.js'

export interface MachineOptions {
  /** Host name; every machine of the bed knows it. */
  readonly name: string
  readonly guix?: GuixVersion
  /** How guix-daemon runs; `none` leaves it to the test (as for `root`, `machine.daemon.start()` starts it). */
  readonly daemon?: DaemonMode | 'none'
  /** 0 forces offloading. */
  readonly maxJobs?: number
  /** Path in the machine of what the daemon runs as `guix`. */
  readonly hook?: string
  readonly daemonEnv?: Readonly<Record<string, string>>
  readonly daemonArgs?: readonly string[]
  /** Starts sshd at once. */
  readonly sshd?: boolean | SshdOptions
  readonly binds?: readonly Bind[]
  /** Size of a small tmpfs over /gnu/store, in mount's notation (`64m`): a disk that fills up. */
  readonly storeSize?: string
  /**
   * How far the machine's clock is ahead, in seconds. By libfaketime in every dynamically linked program, which leaves out the builders' tools;
   * 1.5.0 only, as sshd of Debian bullseye breaks on it.
   */
  readonly clockOffset?: number
}

/** Where machines see this checkout and the Node that runs the tests. */
export const checkoutInMachine = '/opt/guix-offload'
export const nodeInMachine = '/opt/node/bin/node'
const checkout = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const nodeOnHost = process.env.GUIX_OFFLOAD_TESTBED_NODE ?? process.execPath
const programBinds: readonly Bind[] = [
  { source: checkout, target: checkoutInMachine },
  { source: nodeOnHost, target: nodeInMachine },
]

/** Release binaries run on any of the bed's systems; one built by a distribution may want libraries that are not there. */
const checkNode = async (machine: Machine) => {
  const { failed, stderr } = await machine.run([nodeInMachine, '--version'], { reject: false })
  if (!failed) return
  const cure = 'run the tests with a release binary from nodejs.org, or name one in GUIX_OFFLOAD_TESTBED_NODE'
  throw new Error(`${nodeOnHost} does not run on a machine with Guix ${machine.guix}: ${stderr.trim()}: ${cure}`)
}

/** Some machines and the network between them, cut off from everything else; gone, whatever happens, when this process is. */
export class TestBed implements AsyncDisposable {
  readonly #machines = new Map<string, Promise<Machine>>()

  private constructor(
    readonly name: string,
    readonly folder: string,
    readonly holder: Holder,
    readonly userKeys: UserKeys,
  ) {}

  static async up({ name = 'bed' }: { readonly name?: string } = {}): Promise<TestBed> {
    await ensureHostTools()
    await sweep()
    const folder = await createBedFolder(`${name}-${Math.random().toString(36).slice(2, 8)}`)
    try {
      await writeFile(join(folder, 'hosts'), '127.0.0.1 localhost\n')
      const userKeys = await makeUserKeys(folder)
      const holder = await startHolder(`bed ${name}`, ['unshare', '--pid', '--fork', '--kill-child', '--net'], bridgeSetUp)
      return new TestBed(name, folder, holder, userKeys)
    } catch (error) {
      await removeBedFolder(folder)
      throw error
    }
  }

  /** Brings up one machine; several calls may run at once. */
  machine(options: MachineOptions): Promise<Machine> {
    if (this.#machines.has(options.name)) throw new Error(`Bed ${this.name} has a machine ${options.name} already`)
    const coming = this.#bringUp(options, this.#machines.size)
    this.#machines.set(options.name, coming)
    return coming
  }

  async machines() {
    return Promise.all(this.#machines.values())
  }

  async #bringUp(options: MachineOptions, index: number) {
    const { name, guix = '1.5.0', sshd = false, binds = [], storeSize } = options
    const daemonMode = options.daemon === 'unprivileged' ? 'unprivileged' : 'root'
    if (daemonMode === 'unprivileged' && guix === '1.2.0') throw new Error('guix-daemon 1.2.0 only runs as root')
    if (options.clockOffset !== undefined && guix === '1.2.0') throw new Error('A clock offset works on machines with Guix 1.5.0 only')
    if (!/^[a-z][a-z0-9.-]{0,62}$/.test(name)) throw new Error(`Not a host name: ${name}`)
    const root = await rootFileSystem(guix)
    const folder = join(this.folder, name)
    await mkdir(join(folder, 'logs'), { recursive: true })
    const hosts = { source: join(this.folder, 'hosts'), target: '/etc/hosts' }
    const holder = await startHolder(
      `machine ${name}`,
      ['nsenter', `--pid=/proc/${this.holder.pid}/ns/pid`, '--', 'unshare', '--mount', '--pid', '--fork', '--kill-child', '--net', '--uts', '--ipc'],
      mountScript({ root, folder, hostName: name, binds: [hosts, ...programBinds, ...binds], storeSize }),
    )
    await plug(this.holder, holder, index)
    const network = {
      setLink: (state: 'up' | 'down') => setLink(this.holder, index, state),
      setBandwidth: (rate: string | undefined) => setBandwidth(this.holder, holder, index, rate),
    }
    const daemon: DaemonOptions = { maxJobs: options.maxJobs, hook: options.hook, env: options.daemonEnv, args: options.daemonArgs }
    const machine = new Machine({ name, address: addressOf(index), guix, daemonMode, folder }, holder, network, this.userKeys, daemon)
    await writeFile(hosts.source, `${machine.address} ${name}\n`, { flag: 'a' })
    await machine.sh(daemonFoldersScript(daemonMode))
    if (options.clockOffset !== undefined) await machine.sh(clockScript(options.clockOffset))
    await Promise.all([
      this.#makeKeys(machine),
      checkNode(machine),
      options.daemon === 'none' ? undefined : machine.daemon.start().then(() => machine.daemon.greet()),
    ])
    if (sshd !== false) await machine.startSshd(sshd === true ? {} : sshd)
    return machine
  }

  async #makeKeys(machine: Machine) {
    const sshKeygen = `ssh-keygen -q -N '' -C ${machine.name}`
    const hostKeys = [`${sshKeygen} -t ed25519 -f /etc/ssh/ssh_host_ed25519_key`, `${sshKeygen} -t rsa -b 2048 -f /etc/ssh/ssh_host_rsa_key`]
    const authorizedKeys = this.userKeys.ed25519.public + this.userKeys.rsa.public
    await Promise.all([
      machine.sh([...hostKeys, 'install -d -m 700 /root/.ssh', 'cat > /root/.ssh/authorized_keys'].join('\n'), { input: authorizedKeys }),
      machine.guixCommand(['archive', '--generate-key'], { user: machine.daemonUser }),
    ])
    const publicKeys = await machine.sh('cd /etc/ssh; cut -d " " -f 1,2 ssh_host_ed25519_key.pub ssh_host_rsa_key.pub')
    const [ed25519 = '', rsa = ''] = publicKeys.split('\n')
    machine.hostKey = ed25519
    machine.hostKeyRsa = rsa
    machine.signingKey = await machine.readFile('/etc/guix/signing-key.pub')
  }

  /** Lets each of two machines import what the other signed. */
  async authorize(a: Machine, b: Machine) {
    await Promise.all([a.authorizeKeyOf(b), b.authorizeKeyOf(a)])
  }

  /** Another way to a machine's port, with a longer round trip. */
  relay(machine: Machine, { port = 22, delayMs }: { readonly port?: number; readonly delayMs: number }): Promise<Relay> {
    return startRelay(this.holder, { address: machine.address, port, delayMs })
  }

  /** Ends every process of the bed and removes its folder. */
  async down() {
    await Promise.allSettled([...this.#machines.values()].map(async (coming) => (await coming).powerOff()))
    await this.holder.end()
    await removeBedFolder(this.folder)
  }

  async [Symbol.asyncDispose]() {
    await this.down()
  }
}

const clockScript = (seconds: number) =>
  `echo '${seconds < 0 ? '' : '+'}${seconds}' > /etc/faketimerc; ls /usr/lib/*/faketime/libfaketime.so.1 > /etc/ld.so.preload`

/** The client's keys: Ed25519, and RSA for stock's default name and for old servers. */
const makeUserKeys = async (folder: string) => {
  const make = async (type: 'ed25519' | 'rsa') => {
    const path = join(folder, `user-key-${type}`)
    await execa('ssh-keygen', ['-q', '-t', type, ...(type === 'rsa' ? ['-b', '2048', '-m', 'PEM'] : []), '-N', '', '-C', 'testbed', '-f', path])
    return { secret: await readFile(path, 'utf8'), public: await readFile(`${path}.pub`, 'utf8') }
  }
  const [ed25519, rsa] = await Promise.all([make('ed25519'), make('rsa')])
  return { ed25519, rsa }
}
