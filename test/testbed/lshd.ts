import { randomBytes } from 'node:crypto'
import { enterCommand } from './enter.js'
import type { Machine } from './machine.js'
import { Service } from './service.js'
import { convertPrivateKey } from '../../plugins/transport-lsh/src/rsa-private-key.js'

export interface LshdOptions {
  readonly port?: number | undefined
  /** Further options of lshd. */
  readonly options?: readonly string[] | undefined
}

const hostKeyPath = '/etc/lsh_host_key'
const seedPath = '/var/spool/lsh/yarrow-seed-file'

/** GNU lshd with the machine's RSA host key; root logs in with the bed's RSA key. */
export class Lshd extends Service {
  readonly port: number

  constructor(machine: Machine, { port = 22, options = [] }: LshdOptions) {
    const listening = `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`
    super({
      name: `lshd of ${machine.name}`,
      logPath: machine.logPath('lshd'),
      command: () => enterCommand(machine.holderPid, ['/usr/sbin/lshd', `--port=${port}`, '--root-login', '--no-password', '--no-tcpwrappers', '--no-pid-file', '--no-syslog', '--verbose', ...options]),
      async prepare() {
        const key = convertPrivateKey(Buffer.from(await machine.readFile('/etc/ssh/ssh_host_rsa_key')))
        if ('unusable' in key) throw new Error(`The host key of ${machine.name} cannot be used by lshd: ${key.unusable} ${key.detail}`)
        await machine.writeFile(hostKeyPath, key.identity, 0o600)
        await machine.writeFile(seedPath, randomBytes(32), 0o600)
        await machine.sh('key=$(mktemp); ssh-conv > $key; lsh-authorize $key; rm $key', { input: machine.userKeys.rsa.public })
      },
      ready: async () => (await machine.readFile('/proc/net/tcp')).includes(listening),
    })
    this.port = port
  }
}
