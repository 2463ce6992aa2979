/**
 * TXT records of DNS-SD (RFC 6763, section 6): strings `KEY=VALUE` of at most 255 bytes. Keys are printable ASCII without `=`, and case does not matter; the first of
 * several wins; a string without `=` is a key without value, one that begins with `=` is nothing.
 */
import { limits } from './limits.js'

/** Values by lower-case key; true: a key without value. */
export type TxtRecord = ReadonlyMap<string, string | true>

/** What we understand. Others are none of our business, and are not kept. */
export const txtKeys = [
  'txtvers', 'systems', 'emulated', 'user', 'speed', 'jobs', 'features', 'socket', 'threshold', 'hostkey', 'compress', 'level', 'hostcert', 'hostcert2', 'hostcert3', 'hostcert4',
] as const
export type TxtKey = (typeof txtKeys)[number]

const known: ReadonlySet<string> = new Set(txtKeys)

export function parseTxt(strings: readonly (Uint8Array | string)[]): TxtRecord {
  const record = new Map<string, string | true>()
  let bytes = 0
  for (const each of strings) {
    const text = typeof each === 'string' ? each : Buffer.from(each).toString('utf8')
    bytes += Buffer.byteLength(text) + 1
    if (bytes > limits.txtBytes) break
    const [, key, equals, value = ''] = /^([\x20-\x3c\x3e-\x7e]+)(=?)([^]*)$/.exec(text) ?? []
    if (key === undefined) continue
    const name = key.toLowerCase()
    if (known.has(name) && !record.has(name)) record.set(name, equals === '' ? true : value)
  }
  return record
}

/** What is kept of a record: as it came, without what we do not understand. */
export function knownStrings(strings: readonly (Uint8Array | string)[]): string[] {
  return [...parseTxt(strings)].map(([key, value]) => (value === true ? key : `${key}=${value}`))
}
