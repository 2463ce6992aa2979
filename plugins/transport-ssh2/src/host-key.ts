/**
 * Pinned host keys. One line as in an OpenSSH `.pub` file: TYPE BASE64 [COMMENT]; the base64 is the key as it goes over the wire
 * (RFC 4253, 6.6), which starts with the type again. Keys are compared byte by byte: nothing else is ever accepted.
 */
import { createHash } from 'node:crypto'
import type { BuildMachine } from 'guix-offload/plugin-api'
import type { ServerHostKeyAlgorithm } from 'ssh2'
import type { Failures } from 'guix-offload-ssh-common/failures.js'

export interface HostKey {
  readonly type: string
  readonly blob: Buffer
}

const signatureAlgorithms: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
}

/** The type a key's bytes name. */
export function keyType(blob: Buffer): string | undefined {
  if (blob.length < 4) return undefined
  const length = blob.readUInt32BE(0)
  return length === 0 || length > 64 || blob.length < 4 + length ? undefined : blob.toString('latin1', 4, 4 + length)
}

/** As `ssh-keygen -l` shows it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

export function describeKey(blob: Buffer): string {
  return `${keyType(blob) ?? 'unknown type'} ${fingerprint(blob)}`
}

/** The key of a line, or what is wrong with the line. */
export function parseHostKey(line: string): HostKey | string {
  const words = line.trim().split(/[ \t]+/)
  const [type = '', base64 = ''] = words
  if (type === '') return 'it is empty'
  if (line.trim().includes('\n')) return 'it has more than one line'
  if (/^-----BEGIN /.test(line.trim())) return 'it is a PEM file; OpenSSH\'s one-line form is needed'
  if (!(type in signatureAlgorithms)) {
    return base64 in signatureAlgorithms ? `it starts with a host name, as in known_hosts; leave "${type}" out` : `its type ${JSON.stringify(type)} is not one we can check`
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return base64 === '' ? 'the key itself is missing' : 'the key itself is not base64'
  const blob = Buffer.from(base64, 'base64')
  const inside = keyType(blob)
  if (inside !== type) return `it says ${type} but the key itself ${inside === undefined ? 'is damaged' : `is of type ${inside}`}`
  return { type, blob }
}

/** The accepted keys of a machine, the machine's own first. */
export function pinnedKeys(machine: BuildMachine, failures: Failures): readonly HostKey[] {
  const own = machine.location
  const where = own === undefined ? `the host key given by ${machine.source}` : `${own.file}:${own.line}:${own.column}`
  const extra = machine.settings?.hostKeys ?? []
  const lines = [
    { line: machine.hostKey, subject: where, name: 'host key' },
    ...extra.map((line, index) => ({ line, subject: `hostKeys[${index}] of ${JSON.stringify(machine.name)} in the configuration file`, name: 'additional host key' })),
  ]
  return lines.map(({ line, subject, name }) => {
    const key = parseHostKey(line)
    if (typeof key !== 'string') return key
    throw failures.ofConfiguration({
      code: 'host-key-invalid',
      step: 'reading the host key',
      problem: `the ${name} cannot be used: ${key}`,
      expected: 'a line such as "ssh-ed25519 AAAA…"',
      subject,
      cure: `Copy the line from /etc/ssh/ssh_host_ed25519_key.pub on the machine`,
    })
  })
}

/**
 * The host key algorithms to ask for: those of the pinned keys first, so that a server with several keys shows a pinned one, then all others, so that one without
 * shows what it has and the error can name it. SHA-1 signatures of RSA keys only where legacy algorithms are allowed.
 */
export function hostKeyAlgorithms(pins: readonly HostKey[], legacy: boolean): ServerHostKeyAlgorithm[] {
  const types = [...pins.map((pin) => pin.type), ...Object.keys(signatureAlgorithms)]
  const algorithms = types.flatMap((type) => [...(signatureAlgorithms[type] ?? []), ...(legacy && type === 'ssh-rsa' ? (['ssh-rsa'] as const) : [])])
  return [...new Set(algorithms)]
}

export function hostKeyMismatch(pins: readonly HostKey[], seen: Buffer, failures: Failures) {
  const type = keyType(seen)
  const sameType = pins.some((pin) => pin.type === type)
  return failures.ofTrust({
    code: 'host-key-mismatch',
    step: 'checking the host key',
    problem: sameType ? 'the machine showed another host key than the pinned one' : 'the machine has no host key of the pinned type',
    expected: pins.map((pin) => describeKey(pin.blob)).join(' or '),
    seen: describeKey(seen),
    cure: 'If the machine was reinstalled or its keys were renewed, compare with `ssh-keygen -l -f /etc/ssh/ssh_host_…_key.pub` on the machine itself '
      + 'and put that key into its entry; if not, someone may be in between',
  })
}
