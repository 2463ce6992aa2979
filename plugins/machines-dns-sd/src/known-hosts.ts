/**
 * A file of pinned host keys in the form of OpenSSH's known_hosts (sshd(8)): `[MARKER] NAMES TYPE BASE64 [COMMENT]`. Names are patterns separated by commas, `[NAME]:PORT`
 * for other ports than 22, or hashed (`|1|SALT|HASH`); the markers are `@cert-authority` and `@revoked`.
 */
import { createHmac } from 'node:crypto'
import { parsePublicKey, type PublicKey } from './host-key.js'

export interface KnownHost {
  readonly marker: 'pin' | 'cert-authority' | 'revoked'
  readonly names: string
  readonly key: PublicKey
  /** Counts from 1. */
  readonly line: number
}

export interface KnownHosts {
  readonly entries: readonly KnownHost[]
  /** Lines that make no sense. */
  readonly wrong: readonly number[]
}

export function parseKnownHosts(text: string): KnownHosts {
  const entries: KnownHost[] = []
  const wrong: number[] = []
  for (const [index, written] of text.split('\n').entries()) {
    const content = written.trim()
    if (content === '' || content.startsWith('#')) continue
    const [, marker = '@pin', names = '', rest = ''] = /^(?:(@\S+)\s+)?(\S+)\s+(.*)$/.exec(content) ?? []
    const key = parsePublicKey(rest)
    if (key === undefined || (marker !== '@pin' && marker !== '@cert-authority' && marker !== '@revoked')) wrong.push(index + 1)
    else entries.push({ marker: marker === '@pin' ? 'pin' : marker === '@revoked' ? 'revoked' : 'cert-authority', names, key, line: index + 1 })
  }
  return { entries, wrong }
}

/** How a machine is named in such a file. */
export function knownHostName(name: string, port: number): string {
  return port === 22 ? name : `[${name}]:${port}`
}

export function matchesHost({ names }: KnownHost, name: string, port: number): boolean {
  const wanted = knownHostName(name, port)
  const [, salt, hash] = /^\|1\|([A-Za-z0-9+/=]+)\|([A-Za-z0-9+/=]+)$/.exec(names) ?? []
  if (salt !== undefined) return createHmac('sha1', Buffer.from(salt, 'base64')).update(wanted).digest('base64') === hash
  let matched = false
  for (const pattern of names.split(',')) {
    const negated = pattern.startsWith('!')
    if (!matchesPattern(negated ? pattern.slice(1) : pattern, wanted)) continue
    if (negated) return false
    matched = true
  }
  return matched
}

function matchesPattern(pattern: string, name: string): boolean {
  const source = pattern.toLowerCase().replace(/[^a-z0-9]/g, (character) => (character === '*' ? '.*' : character === '?' ? '.' : `\\${character}`))
  // Many stars in a row take a backtracking matcher long.
  return new RegExp(`^${source.replace(/(\.\*)+/g, '.*')}$`).test(name)
}
