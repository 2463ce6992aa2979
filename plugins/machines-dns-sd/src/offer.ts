/** What a machine says of itself in its TXT record, each value checked against what it may be. */
import { parseTxt, type TxtKey } from './txt-record.js'

export interface Offer {
  readonly systems: readonly string[]
  /** Systems it builds for by emulation, slower than its own. */
  readonly emulated: readonly string[]
  readonly user?: string | undefined
  readonly speed: number
  readonly jobs: number
  readonly features: readonly string[]
  readonly socket: string
  readonly threshold: number | null
  readonly hostKey?: string | undefined
  /** An OpenSSH host certificate, base64. */
  readonly certificate?: string | undefined
  readonly compression?: string | undefined
  readonly level?: number | undefined
}

/** Guix's own defaults. */
const defaultSocket = '/var/guix/daemon-socket/socket'
const defaultThreshold = 0.8

const word = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/
const system = /^[a-z0-9_]{1,20}-[a-z0-9_-]{1,20}$/
const userName = /^[A-Za-z_][A-Za-z0-9._-]{0,31}$/
const path = /^\/[A-Za-z0-9._/@:+-]{1,200}$/
const publicKey = /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]+={0,2}$/
const base64 = /^[A-Za-z0-9+/]*={0,2}$/
const compressions = /^(none|zlib|zlib@openssh\.com)(,(none|zlib|zlib@openssh\.com)){0,2}$/

/** @returns the offer, or what makes no sense about it: one sentence, printable whatever the machine said */
export function readOffer(strings: readonly string[]): Offer | { readonly problem: string } {
  const record = parseTxt(strings)
  const mistakes: string[] = []
  const text = (key: TxtKey): string | undefined => {
    const value = record.get(key)
    return value === true || value === '' ? undefined : value
  }
  const matching = (key: TxtKey, pattern: RegExp): string | undefined => {
    const value = text(key)
    if (value === undefined || pattern.test(value)) return value
    mistakes.push(`its ${key} makes no sense`)
    return undefined
  }
  const list = (key: TxtKey, pattern: RegExp): string[] => {
    const items = (text(key) ?? '').split(',').filter((item) => item !== '')
    if (items.length <= 32 && items.every((item) => pattern.test(item))) return [...new Set(items)]
    mistakes.push(`its ${key} make no sense`)
    return []
  }
  const number = <T>(key: TxtKey, least: number, most: number, otherwise: T): number | T => {
    const value = text(key)
    if (value === undefined) return otherwise
    const parsed = /^\d{1,6}(\.\d{1,6})?$/.test(value) ? Number(value) : Number.NaN
    if (parsed >= least && parsed <= most) return parsed
    mistakes.push(`its ${key} is not from ${least} to ${most}`)
    return otherwise
  }
  const version = text('txtvers')
  if (version !== undefined && version !== '1') return { problem: 'it speaks a version of this protocol that is not known here' }
  const certificate = (['hostcert', 'hostcert2', 'hostcert3', 'hostcert4'] as const).map((key) => matching(key, base64) ?? '').join('')
  const offer: Offer = {
    systems: list('systems', system),
    emulated: list('emulated', system),
    user: matching('user', userName),
    speed: number('speed', 0.001, 1000, 1),
    jobs: Math.floor(number('jobs', 1, 1000, 1)),
    features: list('features', word),
    socket: matching('socket', path) ?? defaultSocket,
    threshold: text('threshold') === 'none' ? null : number('threshold', 0, 1, defaultThreshold),
    hostKey: matching('hostkey', publicKey),
    certificate: certificate === '' ? undefined : certificate,
    compression: matching('compress', compressions),
    level: number('level', 0, 9, undefined),
  }
  if (mistakes.length === 0 && offer.systems.length + offer.emulated.length === 0) mistakes.push('it does not say which systems it builds for')
  return mistakes.length === 0 ? offer : { problem: mistakes.join('; ') }
}
