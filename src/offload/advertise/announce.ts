/** Announces this machine by itself, for as long as the program runs: on every interface, from the port that mDNS programs share. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MulticastDNS } from 'multicast-dns'
import { MachineError } from '../../errors/offload-error.js'
import { Responder, type Service } from './responder.js'

const port = 5353
const groups = { udp4: '224.0.0.251', udp6: 'ff02::fb' } as const

interface Outlet {
  readonly mdns: MulticastDNS
  readonly group: string
  readonly addresses: readonly string[]
}

interface Place {
  readonly type: 'udp4' | 'udp6'
  readonly interface: string
  readonly group: string
  readonly addresses: readonly string[]
}

function places(names: readonly string[] | undefined): Place[] {
  return Object.entries(networkInterfaces()).flatMap(([name, all = []]): Place[] => {
    if (names === undefined ? all.every(({ internal }) => internal) : !names.includes(name)) return []
    const addresses = all.map(({ address }) => address)
    const v4 = all.find(({ family }) => family === 'IPv4')?.address
    const v6 = all.some(({ family }) => family === 'IPv6')
    return [
      ...(v4 === undefined ? [] : [{ type: 'udp4' as const, interface: v4, group: groups.udp4, addresses }]),
      ...(v6 ? [{ type: 'udp6' as const, interface: `::%${name}`, group: `${groups.udp6}%${name}`, addresses }] : []),
    ]
  })
}

/**
 * Fulfilled once the signal is aborted and goodbye has been said.
 * @param told gets the name that the machine goes by, once it is announced
 * @throws MachineError `cannot-announce`
 */
export async function announce(service: Service, interfaces: readonly string[] | undefined, told: (instance: string) => void, signal: AbortSignal): Promise<void> {
  const { default: makeMdns } = await import('multicast-dns')
  const responder = new Responder(service)
  const outlets: Outlet[] = []
  const problems: unknown[] = []
  let announced = false
  let conflict = false
  for (const place of places(interfaces)) {
    try {
      const socket = await open(place)
      const mdns = makeMdns({ socket, port, ip: place.group, type: place.type, interface: place.interface, bind: false, multicast: false })
      mdns.on('warning', () => undefined)
      mdns.on('error', () => undefined)
      const outlet = { mdns, group: place.group, addresses: place.addresses }
      mdns.on('response', ({ answers, additionals }) => {
        if (responder.conflictsWith([...(answers ?? []), ...(additionals ?? [])])) conflict = true
      })
      mdns.on('query', (packet, from) => {
        const legacy = from.port !== port
        const response = announced ? responder.answer(packet.questions ?? [], place.addresses, legacy) : undefined
        if (response === undefined) return
        if (legacy) mdns.respond({ ...response, id: packet.id, questions: packet.questions }, { port: from.port, address: from.address })
        else mdns.respond(response, { port, address: place.group })
      })
      outlets.push(outlet)
    } catch (error) {
      problems.push(error)
    }
  }
  try {
    if (outlets.length === 0) throw cannot(problems[0])
    const say = (ttl?: number): void => outlets.forEach(({ mdns, group, addresses }) => mdns.respond({ answers: responder.records(addresses, ttl) }, { port, address: group }))
    const claim = async (): Promise<void> => {
      for (let probes = 0; probes < 3; probes += 1) {
        outlets.forEach(({ mdns, group }) => mdns.query({ questions: responder.probe() }, { port, address: group }))
        await pause(250, signal)
        if (!conflict) continue
        conflict = false
        responder.rename()
        probes = -1
      }
      announced = true
      say()
      await pause(1000, signal)
      say()
      told(responder.instance)
    }
    await claim()
    // Somebody who has come later may have taken the name: he has not probed, or the network was in two parts.
    while (!signal.aborted) {
      await pause(1000, signal)
      if (!conflict || signal.aborted) continue
      announced = false
      say(0)
      conflict = false
      responder.rename()
      await claim()
    }
    if (announced) {
      say(0)
      await sleep(50)
    }
  } finally {
    await Promise.all(outlets.map(({ mdns }) => new Promise<void>((resolve) => mdns.destroy(() => resolve()))))
  }
}

async function open({ type, interface: address, group }: Place): Promise<Socket> {
  const socket = createSocket({ type, reuseAddr: true, ...(type === 'udp6' ? { ipv6Only: true } : {}) })
  try {
    socket.bind({ port })
    await once(socket, 'listening')
    socket.addMembership(group.replace(/%.*$/, ''), address)
    socket.setMulticastInterface(address)
    socket.setMulticastTTL(255)
    socket.setMulticastLoopback(true)
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal }).catch(() => undefined)

function cannot(cause: unknown): MachineError {
  const code = cause instanceof Error ? ('code' in cause ? String(cause.code) : cause.message) : 'for an unknown reason'
  return new MachineError({
    code: 'cannot-announce', step: 'announcing this machine', problem: cause === undefined ? 'there is no network interface to announce it on' : `port ${port} cannot be used (${code})`, cause,
    cure: code === 'EADDRINUSE' ? 'Let avahi-daemon do it (--install), or have it share the port (disallow-other-stacks=no)' : undefined,
  })
}
