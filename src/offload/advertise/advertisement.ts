/**
 * What a build machine says of itself over DNS-SD: `_guix-offload._tcp`, with a TXT record of strings `KEY=VALUE` (RFC 6763, section 6). The machine source `dns-sd` reads
 * it; what it understands is listed in README.
 */
import { ConfigurationError } from '../../errors/offload-error.js'

export interface Advertisement {
  readonly port: number
  readonly systems: readonly string[]
  readonly emulated: readonly string[]
  readonly jobs: number
  readonly speed: number
  readonly features: readonly string[]
  readonly user?: string | undefined
  readonly socket?: string | undefined
  readonly threshold?: number | 'none' | undefined
  readonly compression?: string | undefined
  /** `TYPE BASE64`. */
  readonly hostKey?: string | undefined
  /** An OpenSSH host certificate, base64. */
  readonly certificate?: string | undefined
}

export const serviceType = '_guix-offload._tcp'

/** RFC 6763: a string's length is one byte, and a whole record should fit into one packet. */
const maxString = 255
const maxRecord = 1300
const certificateKeys = ['hostcert', 'hostcert2', 'hostcert3', 'hostcert4']

/** @throws ConfigurationError `advertisement-too-long` */
export function txtStrings(advertisement: Advertisement): string[] {
  const { systems, emulated, jobs, speed, features, user, socket, threshold, compression, hostKey, certificate = '' } = advertisement
  const certificateStrings = certificateKeys.flatMap((key, index) => {
    // As many base64 characters as fit beside the longest key.
    const part = certificate.slice(index * 244, index === certificateKeys.length - 1 ? undefined : (index + 1) * 244)
    return part === '' ? [] : [`${key}=${part}`]
  })
  const optional = (key: string, value: string | number | undefined): string[] => (value === undefined || value === '' ? [] : [`${key}=${value}`])
  const strings = [
    // First, as RFC 6763 recommends.
    'txtvers=1',
    ...optional('systems', systems.join(',')), ...optional('emulated', emulated.join(',')), ...optional('jobs', jobs), ...optional('speed', speed),
    ...optional('features', features.join(',')), ...optional('user', user), ...optional('socket', socket), ...optional('threshold', threshold), ...optional('compress', compression),
    ...optional('hostkey', hostKey), ...certificateStrings,
  ]
  const long = strings.find((each) => Buffer.byteLength(each) > maxString)
  const size = strings.reduce((sum, each) => sum + Buffer.byteLength(each) + 1, 0)
  if (long !== undefined || size > maxRecord) {
    throw new ConfigurationError({
      code: 'advertisement-too-long', step: 'describing this machine', problem: long === undefined ? 'the TXT record is too long' : `${/^[^=]*/.exec(long)?.[0]} is too long for a TXT record`,
      expected: long === undefined ? `at most ${maxRecord} bytes` : `at most ${maxString} bytes`, seen: `${long === undefined ? size : Buffer.byteLength(long)} bytes`,
      cure: 'Use an Ed25519 host key, which is short, or advertise less',
    })
  }
  return strings
}
