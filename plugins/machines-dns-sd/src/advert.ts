/** A machine as it was heard: what the network said, bounded and printable, and believed in nothing. */
export interface Advert {
  /** The name of the service instance, for people. */
  readonly instance: string
  /** Host name, lower case, without the last dot. */
  readonly host: string
  readonly port: number
  /** Strings of the TXT record, those that are understood. */
  readonly txt: readonly string[]
  /** Best first; empty: the host name is to be resolved. */
  readonly addresses: readonly string[]
  readonly via: 'mdns' | 'dns'
  /** Milliseconds since the epoch; the first since it has been heard without a break. */
  readonly heardAt: number
  readonly firstHeardAt: number
}

/** Letters, digits and hyphens (RFC 1123), and the underscore that some have; never the first character of an option. */
const hostName = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/

export function hostNameOf(name: string): string | undefined {
  const lower = name.toLowerCase().replace(/\.$/, '')
  return hostName.test(lower) ? lower : undefined
}

export function isPort(port: unknown): port is number {
  return typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535
}

/** A stranger's text for terminals and logs: nothing that draws, hides or turns around, and not long. */
export function shown(text: string): string {
  const plain = text.replace(/[\p{C}\p{Zl}\p{Zp}\ufffd]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
  return plain.length > 80 ? `${plain.slice(0, 80)}…` : plain
}

/** Same machine, by what it says: a change of any of it is another advert. */
export function sameAdvert(a: Advert, b: Advert): boolean {
  return a.host === b.host && a.port === b.port && a.via === b.via && a.txt.join('\0') === b.txt.join('\0')
}

/** Puts together what was heard by several ways, and keeps since when each has been there. */
export function mergeAdverts(adverts: readonly Advert[], before: readonly Advert[] = []): Advert[] {
  const merged: Advert[] = []
  for (const advert of adverts) {
    const at = merged.findIndex((other) => sameAdvert(other, advert))
    const other = merged[at]
    if (other === undefined) merged.push(advert)
    else merged[at] = { ...other, addresses: [...new Set([...other.addresses, ...advert.addresses])], heardAt: Math.max(other.heardAt, advert.heardAt) }
  }
  const known = merged.map((advert) => ({ ...advert, firstHeardAt: before.find((other) => sameAdvert(other, advert))?.firstHeardAt ?? advert.firstHeardAt }))
  return known.sort((a, b) => a.firstHeardAt - b.firstHeardAt || (a.host < b.host ? -1 : 1))
}
