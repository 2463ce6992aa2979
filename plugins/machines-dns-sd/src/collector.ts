/**
 * Puts records together to machines. What each sender says is kept apart: a liar can put words into nobody else's mouth, and fills up nothing but its own share.
 */
import { isIP } from 'node:net'
import { hostNameOf, isPort, mergeAdverts, shown, type Advert } from './advert.js'
import { byPreference, isUsable, withZone } from './addresses.js'
import { limits } from './limits.js'
import { knownStrings } from './txt-record.js'

export const serviceType = '_guix-offload._tcp'
export const serviceName = `${serviceType}.local`

/** A record as the codec gives it: every part of it is a stranger's. */
export interface HeardRecord {
  readonly name: string
  readonly type: string
  readonly ttl?: number | undefined
  readonly data?: unknown
}

export interface HeardPacket {
  readonly answers?: readonly HeardRecord[] | undefined
  readonly additionals?: readonly HeardRecord[] | undefined
}

interface Service { readonly host: string; readonly port: number }

/** What one sender has said. */
class Voice {
  packets = 0
  /** By lower-case name, as written. */
  readonly instances = new Map<string, string>()
  readonly services = new Map<string, Service>()
  readonly texts = new Map<string, readonly string[]>()
  readonly addresses = new Map<string, Set<string>>()

  constructor(readonly sender: string) {}

  hear(record: HeardRecord): boolean {
    const name = typeof record.name === 'string' ? record.name.toLowerCase() : ''
    const { type, data, ttl } = record
    if (type === 'PTR') {
      if (name !== serviceName || typeof data !== 'string') return false
      return this.#instance(data.toLowerCase(), data, ttl === 0)
    }
    if (type === 'SRV' || type === 'TXT') {
      if (!name.endsWith(`.${serviceName}`)) return false
      // Over multicast a service may be told of without its PTR record.
      if (ttl === 0) return this.#forget(name)
      return type === 'SRV' ? this.#service(name, data) : this.#text(name, data)
    }
    if ((type === 'A' || type === 'AAAA') && ttl !== 0 && typeof data === 'string') return this.#address(name, data)
    return false
  }

  #instance(key: string, name: string, gone: boolean): boolean {
    if (!key.endsWith(`.${serviceName}`)) return false
    if (gone) return this.#forget(key)
    if (this.instances.has(key) || this.instances.size >= limits.machinesOfSender) return false
    this.instances.set(key, name)
    return true
  }

  #forget(key: string): boolean {
    this.services.delete(key)
    this.texts.delete(key)
    return this.instances.delete(key)
  }

  #service(key: string, data: unknown): boolean {
    if (!this.#room(this.services, key) || typeof data !== 'object' || data === null) return false
    const { target, port } = data as { target?: unknown; port?: unknown }
    const host = typeof target === 'string' ? hostNameOf(target) : undefined
    // What mDNS says of names outside of its own domain is worth nothing.
    if (host === undefined || !host.endsWith('.local') || !isPort(port)) return false
    this.services.set(key, { host, port })
    return true
  }

  #text(key: string, data: unknown): boolean {
    if (!this.#room(this.texts, key)) return false
    const strings = (Array.isArray(data) ? data : [data]).filter((each): each is Uint8Array | string => each instanceof Uint8Array || typeof each === 'string')
    this.texts.set(key, knownStrings(strings))
    return true
  }

  #address(name: string, data: string): boolean {
    const host = hostNameOf(name)
    if (host === undefined || isIP(data) === 0 || !isUsable(data) || !this.#room(this.addresses, host)) return false
    const known = this.addresses.get(host) ?? new Set()
    if (known.size >= limits.addressesOfMachine || known.has(data)) return false
    this.addresses.set(host, known.add(data))
    return true
  }

  #room(map: ReadonlyMap<string, unknown>, key: string): boolean {
    return map.has(key) || map.size < limits.machinesOfSender
  }

  complete(): { readonly name: string; readonly service: Service; readonly txt: readonly string[] }[] {
    return [...this.instances].flatMap(([key, name]) => {
      const service = this.services.get(key)
      const txt = this.texts.get(key)
      return service === undefined || txt === undefined ? [] : [{ name, service, txt }]
    })
  }
}

export class Collector {
  readonly #voices = new Map<string, Voice>()
  #packets = 0

  /** True once so much has been heard that the rest is not worth hearing. */
  get full(): boolean {
    return this.#packets >= limits.packets
  }

  /**
   * @param sender its address, with the zone of a link-local one
   * @returns whether anything new about a machine was in it
   */
  hear(packet: HeardPacket, sender: string): boolean {
    if (this.full) return false
    const records = [...(packet.answers ?? []).slice(0, limits.recordsInPacket), ...(packet.additionals ?? []).slice(0, limits.recordsInPacket)].slice(0, limits.recordsInPacket)
    if (!records.some(({ name }) => typeof name === 'string' && name.toLowerCase().endsWith(serviceName)) && !this.#voices.has(sender)) return false
    const voice = this.#voiceOf(sender)
    if (voice === undefined || (voice.packets += 1) > limits.packetsOfSender) return false
    // Those above a sender's share do not count: one that shouts must not end the question for all.
    this.#packets += 1
    return records.map((record) => voice.hear(record)).some((news) => news)
  }

  #voiceOf(sender: string): Voice | undefined {
    const voice = this.#voices.get(sender)
    if (voice !== undefined || this.#voices.size >= limits.senders) return voice
    const added = new Voice(sender)
    this.#voices.set(sender, added)
    return added
  }

  /** What to ask for, as not everybody sends all records along. */
  missing(): { readonly name: string; readonly type: 'SRV' | 'TXT' }[] {
    return [...this.#voices.values()].flatMap(({ instances, services, texts }) => [...instances.keys()].flatMap((name) => [
      ...(services.has(name) ? [] : [{ name, type: 'SRV' as const }]),
      ...(texts.has(name) ? [] : [{ name, type: 'TXT' as const }]),
    ])).slice(0, limits.machinesOfSender)
  }

  adverts(now: number): Advert[] {
    const adverts = [...this.#voices.values()].flatMap((voice) => voice.complete().map(({ name, service, txt }): Advert => {
      const said = [...(voice.addresses.get(service.host) ?? [])].map((address) => withZone(address, voice.sender))
      // Whoever has not said where it is can be reached where it spoke from.
      const addresses = said.length === 0 && isUsable(voice.sender) ? [voice.sender] : said
      const instance = shown(name.slice(0, -serviceName.length - 1))
      return { instance, ...service, txt, addresses: byPreference(addresses), via: 'mdns', heardAt: now, firstHeardAt: now }
    }))
    return mergeAdverts(adverts).slice(0, limits.machines).map((advert) => ({ ...advert, addresses: byPreference(advert.addresses).slice(0, limits.addressesOfMachine) }))
  }
}
