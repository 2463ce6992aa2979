import { enterCommand } from './enter.js'
import type { Machine } from './machine.js'
import { Service } from './service.js'

export interface AvahiOptions {
  readonly ipv4?: boolean | undefined
  readonly ipv6?: boolean | undefined
  /** The host name it claims (`NAME.local`), where that is not the machine's. */
  readonly hostName?: string | undefined
  /** False: nobody else on the machine may use port 5353. */
  readonly otherStacks?: boolean | undefined
}

const configPath = '/etc/avahi/testbed.conf'

/** The real avahi-daemon, which needs no D-Bus for what is in /etc/avahi/services; it notices changes there by itself. */
export class Avahi extends Service {
  constructor(readonly machine: Machine, { ipv4 = true, ipv6 = true, hostName, otherStacks = true }: AvahiOptions) {
    const yes = (value: boolean): string => (value ? 'yes' : 'no')
    const lines = [
      '[server]', ...(hostName === undefined ? [] : [`host-name=${hostName}`]), `use-ipv4=${yes(ipv4)}`, `use-ipv6=${yes(ipv6)}`, 'enable-dbus=no', 'allow-interfaces=eth0',
      `disallow-other-stacks=${yes(!otherStacks)}`, '[publish]', 'publish-hinfo=no', 'publish-workstation=no', '[rlimits]', '',
    ]
    super({
      name: `avahi-daemon of ${machine.name}`,
      logPath: machine.logPath('avahi'),
      command: () => enterCommand(machine.holderPid, ['/usr/sbin/avahi-daemon', '--no-drop-root', '--no-chroot', '--no-rlimits', '-f', configPath]),
      prepare: async () => {
        await machine.writeFile(configPath, lines.join('\n'))
        await machine.sh('mkdir -p /run/avahi-daemon; rm -f /run/avahi-daemon/*')
      },
      // It has probed for its name, and answers.
      ready: (log) => log.includes('Server startup complete'),
    })
  }

  /** The name it has got, which is another one after a conflict. */
  async hostName(): Promise<string | undefined> {
    return [...(await this.log()).matchAll(/Host name is (\S+)\./g)].at(-1)?.[1]
  }
}
