import { enterCommand } from './enter.js'
import type { Machine } from './machine.js'
import { Service } from './service.js'

export interface SshdOptions {
  /** Lines of sshd_config; they win over the bed's own, as sshd takes the first value of a keyword. */
  readonly config?: readonly string[] | undefined
  readonly port?: number | undefined
}

const configPath = '/etc/ssh/sshd_config'

export class Sshd extends Service {
  readonly port: number

  constructor(machine: Machine, { config = [], port = 22 }: SshdOptions) {
    const lines = [
      ...config,
      `Port ${port}`,
      'HostKey /etc/ssh/ssh_host_ed25519_key',
      'HostKey /etc/ssh/ssh_host_rsa_key',
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'UsePAM no',
      'PidFile none',
      'LogLevel VERBOSE',
      'Subsystem sftp internal-sftp',
    ]
    super({
      name: `sshd of ${machine.name}`,
      logPath: machine.logPath('sshd'),
      command: () => enterCommand(machine.holderPid, ['/usr/sbin/sshd', '-D', '-e', '-f', configPath]),
      prepare: () => machine.writeFile(configPath, `${lines.join('\n')}\n`),
      ready: (log) => log.includes('Server listening on'),
    })
    this.port = port
  }
}
