/** Whether the configuration vouches for the host key that a machine claims to have. Nothing the network says counts but that. */
import { checkCertificate } from './certificate.js'
import { fingerprint, parsePublicKey, type PublicKey } from './host-key.js'
import { matchesHost, type KnownHosts } from './known-hosts.js'

export interface Pins {
  /** Where pins are kept, for messages and for new ones. */
  readonly file: string
  readonly knownHosts: KnownHosts
  /** `SHA256:…`. */
  readonly fingerprints: ReadonlySet<string>
  /** Keys that may certify every machine. */
  readonly authorities: readonly PublicKey[]
}

export interface Claim {
  readonly name: string
  readonly port: number
  readonly hostKey?: string | undefined
  readonly certificate?: string | undefined
}

/** `key`: to be pinned, `TYPE BASE64`. A key that is bound to no name by its pin is one machine's only. */
export type Judgement =
  | { readonly trusted: true; readonly key: string; readonly boundToName: boolean }
  | { readonly trusted: false; readonly reason: string; readonly key?: string | undefined }

const written = ({ type, base64 }: PublicKey): string => `${type} ${base64}`

/** @param now milliseconds since the epoch */
export function judge({ name, port, hostKey, certificate }: Claim, pins: Pins, now: number): Judgement {
  const claimed = hostKey === undefined ? undefined : parsePublicKey(hostKey)
  if (hostKey !== undefined && claimed === undefined) return { trusted: false, reason: 'its host key is not a whole key' }
  const certified = certificate === undefined ? undefined : checkCertificate(certificate, name, now)
  const key = claimed ?? (certified !== undefined && 'key' in certified ? certified.key : undefined)
  if (key === undefined) {
    return { trusted: false, reason: certified !== undefined && 'problem' in certified ? `its certificate ${certified.problem}` : 'it does not say what its host key is' }
  }
  const named = pins.knownHosts.entries.filter((entry) => matchesHost(entry, name, port))
  const isThe = (one: PublicKey) => (other: { readonly key: PublicKey }): boolean => other.key.base64 === one.base64
  const revoked = pins.knownHosts.entries.filter(({ marker }) => marker === 'revoked')
  if (revoked.some(isThe(key))) return { trusted: false, reason: `its host key is revoked in ${pins.file}` }
  if (named.some((entry) => entry.marker === 'pin' && entry.key.base64 === key.base64)) return { trusted: true, key: written(key), boundToName: true }
  if (pins.fingerprints.has(fingerprint(key))) return { trusted: true, key: written(key), boundToName: false }
  if (certified !== undefined && 'key' in certified && !revoked.some(isThe(certified.authority))) {
    if (certified.key.base64 !== key.base64) return { trusted: false, reason: 'its certificate is for another key than its host key', key: written(key) }
    const authorities = [...pins.authorities, ...named.filter(({ marker }) => marker === 'cert-authority').map((entry) => entry.key)]
    if (authorities.some(({ base64 }) => base64 === certified.authority.base64)) return { trusted: true, key: written(key), boundToName: true }
  }
  const other = named.find((entry) => entry.marker === 'pin' && entry.key.type === key.type)
  const reason = other !== undefined ? `its host key is not the one pinned in ${pins.file}, line ${other.line}`
    : certified === undefined ? 'nothing vouches for its host key'
    : 'problem' in certified ? `its certificate ${certified.problem}` : 'nothing vouches for its host key or for the authority that certified it'
  // A machine that is known by another key is not to be pinned in passing.
  return { trusted: false, reason, ...(other === undefined ? { key: written(key) } : {}) }
}
