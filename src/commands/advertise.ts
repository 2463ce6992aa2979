import { availableParallelism, hostname, machine, totalmem } from 'node:os'
import * as Flags from '@oclif/core/flags'
import { hostKeyFingerprint } from '../machines/host-key-fingerprint.js'
import { serviceType, txtStrings, type Advertisement } from '../offload/advertise/advertisement.js'
import { machineFacts, usualJobs, type MachineFacts } from '../offload/advertise/machine-facts.js'
import { installServiceFile, removeServiceFile, serviceFile, serviceXml } from '../offload/advertise/service-file.js'
import { BaseCommand } from './support/base-command.js'

const list = (description: string) => Flags.string({ description, helpValue: 'A,B' })
const split = (text: string | undefined): string[] | undefined => text?.split(',').filter((word) => word !== '')

export default class Advertise extends BaseCommand {
  static override summary = 'on a build machine: announce it on the local network, for the machine source dns-sd'
  static override description = 'What it can do is found out here; options change it. Those who find it use it only once they have pinned its host key.'
  static override flags = {
    print: Flags.boolean({ description: 'print the service file of Avahi (what is done when nothing else is asked for)', exclusive: ['install', 'remove', 'foreground'] }),
    install: Flags.boolean({ description: `put it into ${serviceFile}`, exclusive: ['remove', 'foreground'] }),
    remove: Flags.boolean({ description: 'take it away again', exclusive: ['foreground'] }),
    foreground: Flags.boolean({ description: 'announce the machine without Avahi, until interrupted' }),
    port: Flags.integer({ description: 'port of the SSH server', default: 22, min: 1, max: 65_535 }),
    user: Flags.string({ description: 'account to log in to' }),
    systems: list('systems it builds for natively'),
    emulated: list('systems it builds for by emulation'),
    features: list('what requiredSystemFeatures may ask for'),
    jobs: Flags.integer({ description: 'builds at a time; one for four cores and four GiB of memory unless said otherwise', min: 1, max: 1000 }),
    speed: Flags.string({ description: 'relative speed', default: '1' }),
    threshold: Flags.string({ description: 'normalized load from which on it takes no build, or none' }),
    socket: Flags.string({ description: 'socket of its guix-daemon, where that is not the usual one' }),
    interface: Flags.string({ description: 'network interface to announce it on (with --foreground; all unless given)', multiple: true }),
  }

  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Advertise)
    if (flags.remove) {
      const removed = await removeServiceFile('/')
      this.log(removed ? `removed ${serviceFile}` : `there is no ${serviceFile}`)
      return { file: serviceFile, removed }
    }
    const facts = await machineFacts({ root: '/', architecture: machine(), cores: availableParallelism(), memoryBytes: totalmem() })
    const advertisement = this.#advertisement(facts, flags)
    for (const remark of facts.remarks) this.warning(remark)
    const txt = txtStrings(advertisement)
    const fingerprint = advertisement.hostKey === undefined ? undefined : hostKeyFingerprint(advertisement.hostKey)
    const report = { type: serviceType, port: advertisement.port, txt, fingerprint: fingerprint ?? null, cores: facts.cores, memoryBytes: facts.memoryBytes }
    if (flags.foreground) {
      const { announce } = await import('../offload/advertise/announce.js')
      const hostName = hostname().split('.')[0] ?? 'guix'
      const told = (instance: string): void => this.log(`announced as ${instance}${fingerprint === undefined ? '' : `, host key ${fingerprint}`}`)
      await announce({ instance: hostName, hostName, type: serviceType, port: advertisement.port, txt }, flags.interface, told, this.interrupted())
      return report
    }
    const xml = serviceXml(advertisement)
    if (!flags.install) return this.present([xml.trimEnd()], { ...report, xml }, true)
    const written = await installServiceFile('/', xml)
    this.log(written ? `wrote ${serviceFile}` : `${serviceFile} is there already`)
    if (fingerprint !== undefined) this.log(`Those who find this machine must see the host key ${fingerprint}`)
    return { ...report, file: serviceFile, written }
  }

  #advertisement(facts: MachineFacts, flags: Readonly<Record<string, unknown>>): Advertisement {
    const text = (name: string): string | undefined => (typeof flags[name] === 'string' ? flags[name] : undefined)
    const number = (name: string, most: number): number | undefined => {
      const value = text(name)
      if (value === undefined) return undefined
      if (/^\d{1,4}(\.\d{1,3})?$/.test(value) && Number(value) <= most) return Number(value)
      this.error(`--${name} is a number from 0 to ${most}`, { exit: 2 })
    }
    const speed = number('speed', 1000) ?? 1
    if (speed === 0) this.error('--speed is more than 0', { exit: 2 })
    return {
      port: Number(flags.port),
      systems: split(text('systems')) ?? facts.systems,
      emulated: split(text('emulated')) ?? facts.emulated,
      features: split(text('features')) ?? facts.features,
      jobs: typeof flags.jobs === 'number' ? flags.jobs : usualJobs(facts.cores, facts.memoryBytes),
      speed,
      user: text('user'),
      socket: text('socket'),
      threshold: text('threshold') === 'none' ? 'none' : number('threshold', 1),
      hostKey: facts.hostKey,
      certificate: facts.certificate,
    }
  }
}
