/**
 * Pinned host keys. machines.scm has them as a line of OpenSSH's: TYPE BASE64 [COMMENT], the base64 being the key as it goes over the wire (RFC 4253, 6.6).
 * lsh wants an access control list: `(acl (entry (subject KEY) (tag (ssh-hostkey NAME))))`, where KEY is `(public-key (rsa-pkcs1-sha1 (n …) (e …)))` and NAME
 * the machine as lsh was told it, with what stands between its dots in reverse order. lsh knows no other host keys than RSA (and DSA, which is no longer
 * to be trusted).
 */
import { createHash } from 'node:crypto'
import type { BuildMachine, OffloadFailure } from 'guix-offload/plugin-api'
import type { Failures } from 'guix-offload-ssh-common/failures.js'
import { WireReader } from 'guix-offload-ssh-common/wire.js'
import { encodeCanonical } from './s-expression.js'

export interface HostKey {
  readonly type: string
  readonly blob: Buffer
}

const rsa = 'ssh-rsa'

/** The type a key's bytes name. */
export function keyType(blob: Buffer): string | undefined {
  try {
    const type = new WireReader(blob).text()
    return /^[\x21-\x7e]{1,64}$/.test(type) ? type : undefined
  } catch {
    return undefined
  }
}

/** As `ssh-keygen -l` shows it. */
export function describeKey(blob: Buffer): string {
  return `${keyType(blob) ?? 'unknown type'} SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

/** The key of a line, or what is wrong with the line. */
export function parseHostKey(line: string): HostKey | string {
  const text = line.trim()
  const [type = '', base64 = ''] = text.split(/[ \t]+/)
  if (type === '') return 'it is empty'
  if (text.includes('\n')) return 'it has more than one line'
  if (base64 === '') return 'the key itself is missing'
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return 'the key itself is not base64'
  const blob = Buffer.from(base64, 'base64')
  const inside = keyType(blob)
  if (inside !== type) return `it says ${type} but the key itself ${inside === undefined ? 'is damaged' : `is of type ${inside}`}`
  if (type === rsa && rsaNumbers(blob) === undefined) return 'the key itself is damaged'
  return { type, blob }
}

/** The accepted RSA keys of a machine, the machine's own first. */
export function pinnedKeys(machine: BuildMachine, failures: Failures): readonly HostKey[] {
  const place = machine.location
  const where = place === undefined ? `the host key given by ${machine.source}` : `${place.file}:${place.line}:${place.column}`
  const extra = machine.settings?.hostKeys ?? []
  const lines = [
    { line: machine.hostKey, subject: where },
    ...extra.map((line, index) => ({ line, subject: `hostKeys[${index}] of ${JSON.stringify(machine.name)} in the configuration file` })),
  ]
  const keys = lines.map(({ line, subject }) => {
    const key = parseHostKey(line)
    if (typeof key === 'string') throw unusable(failures, key, subject)
    return key
  })
  const usable = keys.filter((key) => key.type === rsa)
  if (usable.length > 0) return usable
  throw unusable(failures, `lsh checks RSA keys only, and this is of type ${keys[0]?.type ?? ''}`, where)
}

function unusable(failures: Failures, why: string, subject: string): OffloadFailure {
  return failures.ofConfiguration({
    code: 'host-key-invalid',
    step: 'reading the host key',
    problem: `the host key cannot be used: ${why}`,
    expected: 'a line such as "ssh-rsa AAAA…"',
    subject,
    cure: 'On a machine with lshd, `lsh-export-key --openssh < /etc/lsh_host_key.pub` prints the line; besides a key of another type it can stand in hostKeys in the configuration file',
  })
}

/** @param target - The machine's name or address, as lsh is told it. */
export function hostAcl(pins: readonly HostKey[], target: string): Buffer {
  const tag = ['tag', ['ssh-hostkey', target.split('.').reverse().join('.')]]
  const entries = pins.flatMap(({ blob }) => {
    const numbers = rsaNumbers(blob)
    return numbers === undefined ? [] : [['entry', ['subject', ['public-key', ['rsa-pkcs1-sha1', ['n', numbers.n], ['e', numbers.e]]]], tag]]
  })
  return encodeCanonical(['acl', ...entries])
}

function rsaNumbers(blob: Buffer): { readonly n: Buffer, readonly e: Buffer } | undefined {
  try {
    const reader = new WireReader(blob)
    reader.string()
    const e = reader.string()
    const n = reader.string()
    return reader.rest === 0 && e.length > 0 && n.length >= 64 ? { n, e } : undefined
  } catch {
    return undefined
  }
}

/** @param seen - What the machine showed, where that could be found out. */
export function hostKeyMismatch(pins: readonly HostKey[], seen: Buffer | undefined, failures: Failures): OffloadFailure {
  return failures.ofTrust({
    code: 'host-key-mismatch',
    step: 'checking the host key',
    problem: 'the machine showed another host key than the pinned one',
    expected: pins.map((pin) => describeKey(pin.blob)).join(' or '),
    seen: seen === undefined ? undefined : describeKey(seen),
    cure: 'If the machine was reinstalled or its keys were renewed, compare with `lsh-export-key --openssh < /etc/lsh_host_key.pub | ssh-keygen -l -f -` on the machine itself '
      + 'and put that key into its entry; if not, someone may be in between',
  })
}
