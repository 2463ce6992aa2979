/**
 * Asks the local network. From a port of our own on each interface: whoever is asked so answers at once and to us alone (RFC 6762, section 6.7), but in 512 bytes.
 * And from port 5353, which mDNS programs share: for answers that are longer, and where a firewall lets no others in. If that port is taken by a program that shares it
 * with nobody, the first way has to do.
 *
 * No socket keeps the process alive: a hook that is done ends, whatever is still being asked in the background.
 */
import { randomInt } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import type { MulticastDNS } from 'multicast-dns'
import { onLink } from './addresses.js'
import type { Advert } from './advert.js'
import { Collector, serviceName, type HeardPacket } from './collector.js'
import { limits, times } from './limits.js'

const port = 5353
const groups = { udp4: '224.0.0.251', udp6: 'ff02::fb' } as const

export interface Question {
  /** Names of network interfaces; undefined: all but the loopback one. */
  readonly interfaces?: readonly string[] | undefined
  /** Milliseconds after which it is over. */
  readonly wait: number
  /** Over as soon as, after an answer, nothing new has come for that long. */
  readonly quiet?: number | undefined
  /** True: nobody waits for the answer, and the process may end before it is there. */
  readonly background?: boolean | undefined
  readonly signal: AbortSignal
}

interface Place {
  readonly type: 'udp4' | 'udp6'
  /** For the group's membership and for sending. */
  readonly address: string
  /** The group, as it is named on this interface. */
  readonly group: string
}

interface Voice {
  readonly mdns: MulticastDNS
  readonly id: number
  readonly group: string
}

function places(names: readonly string[] | undefined): Place[] {
  const chosen = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]): Place[] => {
    if (names === undefined ? addresses.every(({ internal }) => internal) : !names.includes(name)) return []
    const v4 = addresses.find(({ family }) => family === 'IPv4')
    const v6 = addresses.find(({ family, address }) => family === 'IPv6' && /^fe[89ab]/i.test(address))
    return [
      ...(v4 === undefined ? [] : [{ type: 'udp4' as const, address: v4.address, group: groups.udp4 }]),
      ...(v6 === undefined ? [] : [{ type: 'udp6' as const, address: `::%${name}`, group: `${groups.udp6}%${name}` }]),
    ]
  })
  return chosen.slice(0, limits.interfaces)
}

export interface NetworkAnswer {
  readonly adverts: readonly Advert[]
  /** Somebody has sent so much that others may not have been heard. */
  readonly noisy: boolean
}

/** Never rejected but by the signal: where nothing can be asked, nothing is there. */
export async function askNetwork(question: Question): Promise<NetworkAnswer> {
  const { signal } = question
  signal.throwIfAborted()
  const asked = places(question.interfaces)
  if (asked.length === 0) return { adverts: [], noisy: false }
  const { default: makeMdns } = await import('multicast-dns')
  const collector = new Collector()
  const gate = new Gate()
  const isNear = onLink()
  const voices: Voice[] = []
  const sockets = new Set<Socket>()

  return new Promise<NetworkAnswer>((resolve, reject) => {
    const timers = new Set<NodeJS.Timeout>()
    // What keeps the process alive until there is an answer, where somebody waits for one.
    const after = (ms: number, what: () => void): NodeJS.Timeout => {
      const timer = setTimeout(what, ms)
      if (question.background === true) timer.unref()
      timers.add(timer)
      return timer
    }
    let quietTimer: NodeJS.Timeout | undefined
    let over = false
    const close = (): void => {
      over = true
      for (const timer of timers) clearTimeout(timer)
      clearTimeout(quietTimer)
      signal.removeEventListener('abort', onAbort)
      for (const socket of sockets) closeQuietly(socket)
    }
    const finish = (): void => {
      if (over) return
      close()
      resolve({ adverts: collector.adverts(Date.now()), noisy: gate.shut })
    }
    const onAbort = (): void => {
      close()
      reject(signal.reason as Error)
    }
    const ask = (): void => {
      if (over) return
      const questions = [{ name: serviceName, type: 'PTR' as const }, ...collector.missing()]
      for (const { mdns, id, group } of voices) mdns.query({ id, questions }, { port, address: group })
    }
    const heard = (packet: HeardPacket, sender: string): void => {
      if (over || !isNear(sender)) return
      const news = collector.hear(packet, sender)
      if (collector.full) return finish()
      if (!news) return
      if (collector.missing().length > 0) return void (followUp ??= after(20, () => { followUp = undefined; ask() }))
      if (question.quiet !== undefined) {
        clearTimeout(quietTimer)
        quietTimer = after(question.quiet, finish)
      }
    }
    let followUp: NodeJS.Timeout | undefined
    signal.addEventListener('abort', onAbort, { once: true })
    for (const place of asked) {
      for (const shared of [false, true]) {
        open(place, shared, sockets, (socket) => {
          if (over) return closeQuietly(socket)
          const mdns = makeMdns({ socket, type: place.type, ip: place.group, interface: place.address, port, bind: false, multicast: false })
          const id = shared ? 0 : randomInt(1, 65_536)
          guard(socket, gate)
          mdns.on('warning', () => undefined)
          mdns.on('error', () => undefined)
          mdns.on('response', (packet, { address, port: from }) => {
            if (shared ? from === port : (packet as { id?: number }).id === id) heard(packet, address)
          })
          voices.push({ mdns, id, group: place.group })
          mdns.query({ id, questions: [{ name: serviceName, type: 'PTR' }] }, { port, address: place.group })
        })
      }
    }
    for (const ms of times.repetitions) if (ms < question.wait) after(ms, ask)
    after(question.wait, finish)
  })
}

/** What is decoded at all: a packet costs next to nothing here, and a millisecond or more after. */
class Gate {
  readonly #packets = new Map<string, number>()
  shut = false

  admits(bytes: number, sender: string): boolean {
    const packets = (this.#packets.get(sender) ?? 0) + 1
    if (bytes > limits.packetBytes || packets > limits.packetsOfSender || (packets === 1 && this.#packets.size >= limits.senders)) {
      this.shut = true
      return false
    }
    this.#packets.set(sender, packets)
    return true
  }
}

/** Puts the gate before whatever listens on the socket, which is the library. */
function guard(socket: Socket, gate: Gate): void {
  const listeners = socket.listeners('message') as ((bytes: Buffer, from: RemoteInfo) => void)[]
  socket.removeAllListeners('message')
  socket.on('message', (bytes, from) => {
    if (gate.admits(bytes.length, from.address)) for (const listener of listeners) listener(bytes, from)
  })
}

/** Calls back once the socket can be used, which may be never: a family that is switched off, a port that is not shared. */
function open({ type, address, group }: Place, shared: boolean, sockets: Set<Socket>, ready: (socket: Socket) => void): void {
  const socket = createSocket({ type, reuseAddr: shared, ...(type === 'udp6' ? { ipv6Only: true } : {}) })
  sockets.add(socket)
  socket.on('error', () => closeQuietly(socket))
  socket.bind({ port: shared ? port : 0 }, () => {
    try {
      socket.setMulticastInterface(address)
      socket.setMulticastTTL(255)
      socket.setMulticastLoopback(true)
      if (shared) socket.addMembership(group.replace(/%.*$/, ''), address)
      ready(socket)
    } catch {
      closeQuietly(socket)
    }
  })
  socket.unref()
}

function closeQuietly(socket: Socket): void {
  try {
    socket.close()
  } catch {
    // It is closed already.
  }
}
