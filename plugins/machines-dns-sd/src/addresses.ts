/** IP addresses as strangers name them. */
import { BlockList, isIP, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

const useless = new BlockList()
useless.addSubnet('0.0.0.0', 8)
useless.addSubnet('127.0.0.0', 8)
useless.addSubnet('224.0.0.0', 3)
useless.addSubnet('::', 127, 'ipv6')
useless.addSubnet('ff00::', 8, 'ipv6')

const bare = (address: string): string => address.replace(/%.*$/, '')
const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address)

/** Nobody is reached at the unspecified address or at a group's, and at the loopback address only ourselves. */
export function isUsable(address: string): boolean {
  const plain = bare(address)
  const family = isIP(plain)
  // BlockList takes IPv4 addresses for the IPv6 ones that they are mapped to: no subnet can tell the two apart.
  return family !== 0 && !/^::ffff:/i.test(plain) && !useless.check(plain, family === 6 ? 'ipv6' : 'ipv4')
}

/** A link-local address means nothing without the interface it was heard on: that of the sender. */
export function withZone(address: string, sender: string): string {
  const zone = /%(.+)$/.exec(sender)?.[1]
  return isLinkLocal(address) && zone !== undefined && !address.includes('%') ? `${address}%${zone}` : address
}

/** IPv4 first, as it works wherever it is there at all; link-local ones last, without a zone not at all. */
export function byPreference(addresses: readonly string[]): string[] {
  const rank = (address: string): number => (isLinkLocal(address) ? 2 : isIPv6(bare(address)) ? 1 : address.startsWith('169.254.') ? 3 : 0)
  return [...new Set(addresses)].filter((address) => !isLinkLocal(address) || address.includes('%')).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

export type Interfaces = ReturnType<typeof networkInterfaces>

export function ownAddresses(interfaces: Interfaces = networkInterfaces()): Set<string> {
  return new Set(Object.values(interfaces).flatMap((addresses = []) => addresses.map(({ address }) => address)))
}

/** RFC 6762, section 11: an answer from beyond the local link is none. */
export function onLink(interfaces: Interfaces = networkInterfaces()): (sender: string) => boolean {
  const links = new BlockList()
  for (const { cidr, family } of Object.values(interfaces).flatMap((addresses = []) => addresses)) {
    const [network, prefix] = cidr?.split('/') ?? []
    if (network !== undefined && prefix !== undefined) links.addSubnet(network, Number(prefix), family === 'IPv6' ? 'ipv6' : 'ipv4')
  }
  return (sender) => {
    const plain = bare(sender)
    return isLinkLocal(plain) || links.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
  }
}
