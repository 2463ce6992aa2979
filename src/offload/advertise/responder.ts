/**
 * Answers for one service over mDNS (RFC 6762): probes for its name, announces it, answers, and says goodbye. Sans I/O: packets in, packets out; the sockets are in
 * announce.ts.
 */
import type { Answer, Question } from 'dns-packet'

export interface Service {
  /** The name of the instance, for people; one label. */
  readonly instance: string
  /** Without `.local`. */
  readonly hostName: string
  readonly type: string
  readonly port: number
  readonly txt: readonly string[]
}

/** Seconds: RFC 6762, section 10: what holds a host name or an address for two minutes, the rest longer. */
const hostTtl = 120
const otherTtl = 4500
/** For those who ask from another port than 5353, and do not notice changes. */
const legacyTtl = 10
const enumeration = '_services._dns-sd._udp.local'

export class Responder {
  readonly #service: Service
  #attempt = 1

  constructor(service: Service) {
    this.#service = service
  }

  /** With a number from the second attempt on. A dot would begin another label. */
  get instance(): string {
    const { instance } = this.#service
    return this.#attempt === 1 ? instance : `${instance} #${this.#attempt}`
  }

  get #type(): string {
    return `${this.#service.type}.local`
  }

  get name(): string {
    return `${this.instance}.${this.#type}`
  }

  get host(): string {
    return `${this.#service.hostName}.local`
  }

  probe(): Question[] {
    return [{ name: this.name, type: 'ANY' as Question['type'] }]
  }

  /** Somebody else has that name: the next one is tried. @returns whether the packet said so */
  conflictsWith(answers: readonly { readonly name: string; readonly type: string; readonly data?: unknown }[]): boolean {
    return answers.some(({ name, type, data }) => {
      if (name.toLowerCase() !== this.name.toLowerCase() || type !== 'SRV' || typeof data !== 'object' || data === null) return false
      const { target, port } = data as { target?: unknown; port?: unknown }
      return String(target).toLowerCase() !== this.host.toLowerCase() || port !== this.#service.port
    })
  }

  rename(): void {
    this.#attempt += 1
  }

  /** All records, for announcing; `ttl` 0 takes them back. @param addresses of the interface they are sent on */
  records(addresses: readonly string[], ttl?: number): Answer[] {
    return [this.#pointer(ttl), this.#location(ttl), this.#text(ttl), ...this.#addresses(addresses, ttl === 0 ? undefined : ttl)].filter(({ type }) => ttl !== 0 || (type !== 'A' && type !== 'AAAA'))
  }

  /** What answers the questions, and what the asker will want to know next. */
  answer(questions: readonly Question[], addresses: readonly string[], legacy: boolean): { readonly answers: Answer[]; readonly additionals: Answer[] } | undefined {
    const ttl = legacy ? legacyTtl : undefined
    const wanted = (name: string, ...types: string[]): boolean => questions.some((each) => each.name.toLowerCase() === name.toLowerCase() && ['ANY', ...types].includes(String(each.type)))
    const parts: [boolean, Answer[]][] = [
      [wanted(this.#type, 'PTR'), [this.#pointer(ttl)]],
      [wanted(enumeration, 'PTR'), [{ name: enumeration, type: 'PTR', ttl: ttl ?? otherTtl, data: this.#type }]],
      [wanted(this.name, 'SRV'), [this.#location(ttl)]],
      [wanted(this.name, 'TXT'), [this.#text(ttl)]],
      [wanted(this.host, 'A', 'AAAA'), this.#addresses(addresses, ttl)],
    ]
    const answers = parts.flatMap(([asked, records]) => (asked ? records : []))
    if (answers.length === 0) return undefined
    const about = answers.some(({ type }) => type === 'PTR' || type === 'SRV') && !answers.every(({ name }) => name === enumeration)
    const additionals = about ? parts.slice(2).flatMap(([asked, records]) => (asked ? [] : records)) : []
    // The bit that flushes caches means something to full participants only (section 6.7).
    const plain = (record: Answer): Answer => (legacy ? { ...record, flush: false } as Answer : record)
    return { answers: answers.map(plain), additionals: additionals.map(plain) }
  }

  #pointer(ttl = otherTtl): Answer {
    return { name: this.#type, type: 'PTR', ttl, data: this.name }
  }

  #location(ttl = hostTtl): Answer {
    return { name: this.name, type: 'SRV', ttl, flush: true, data: { port: this.#service.port, target: this.host } }
  }

  #text(ttl = otherTtl): Answer {
    return { name: this.name, type: 'TXT', ttl, flush: true, data: this.#service.txt.map((each) => Buffer.from(each)) }
  }

  #addresses(addresses: readonly string[], ttl = hostTtl): Answer[] {
    return addresses.map((address) => ({ name: this.host, type: address.includes(':') ? ('AAAA' as const) : ('A' as const), ttl, flush: true, data: address }))
  }
}
