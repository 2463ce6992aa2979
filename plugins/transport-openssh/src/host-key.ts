/**
 * Pinned host keys: lines as in an OpenSSH `.pub` file, TYPE BASE64 [COMMENT], where the base64 starts with the type again (RFC 4253, 6.6). They
 * become a known_hosts file that names nothing else (sshd(8)), under an alias, so that neither port nor odd characters of the host's name matter.
 */
import { createHash } from 'node:crypto'
import type { BuildMachine } from 'guix-offload/plugin-api'
import type { Failures } from 'guix-offload-ssh-common/failures.js'

export interface HostKey {
  readonly type: string
  readonly base64: string
  /** As `ssh-keygen -l` shows it. */
  readonly fingerprint: string
}

/** The name under which the pinned keys are known (HostKeyAlias). */
export const hostKeyAlias = 'pinned'

const types = new Set(['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa'])

/** The key of a line, or what is wrong with the line. */
export function parseHostKey(line: string): HostKey | string {
  const text = line.trim()
  const [type = '', base64 = ''] = text.split(/[ \t]+/)
  if (text === '') return 'it is empty'
  if (text.includes('\n')) return 'it has more than one line'
  if (!types.has(type)) {
    return types.has(base64) ? `it starts with a host name, as in known_hosts; leave "${type}" out` : `its type ${JSON.stringify(type)} is not one we can check`
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return base64 === '' ? 'the key itself is missing' : 'the key itself is not base64'
  const blob = Buffer.from(base64, 'base64')
  const length = blob.length < 4 ? 0 : blob.readUInt32BE(0)
  if (blob.toString('latin1', 4, 4 + length) !== type) return `it says ${type} but the key itself does not`
  return { type, base64: blob.toString('base64'), fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}` }
}

/** The accepted keys of a machine, the machine's own first. */
export function pinnedKeys(machine: BuildMachine, failures: Failures): readonly HostKey[] {
  const { location } = machine
  const where = location === undefined ? `the host key given by ${machine.source}` : `${location.file}:${location.line}:${location.column}`
  const lines = [
    { line: machine.hostKey, subject: where },
    ...(machine.settings?.hostKeys ?? []).map((line, index) => ({ line, subject: `hostKeys[${index}] of ${JSON.stringify(machine.name)} in the configuration file` })),
  ]
  return lines.map(({ line, subject }) => {
    const key = parseHostKey(line)
    if (typeof key !== 'string') return key
    throw failures.ofConfiguration({
      code: 'host-key-invalid',
      step: 'reading the host key',
      problem: `it cannot be used: ${key}`,
      expected: 'a line such as "ssh-ed25519 AAAA…"',
      subject,
      cure: 'Copy the line from /etc/ssh/ssh_host_ed25519_key.pub on the machine',
    })
  })
}

export function knownHosts(pins: readonly HostKey[]): string {
  return pins.map(({ type, base64 }) => `${hostKeyAlias} ${type} ${base64}\n`).join('')
}

/** @param seen - `TYPE SHA256:…`, as ssh reports it. */
export function hostKeyMismatch(pins: readonly HostKey[], seen: string | undefined, failures: Failures): Error {
  const sameType = pins.some(({ type }) => type === seen?.split(' ')[0])
  return failures.ofTrust({
    code: 'host-key-mismatch',
    step: 'checking the host key',
    problem: sameType ? 'the machine showed another host key than the pinned one' : 'the machine has no host key of the pinned type',
    expected: pins.map(({ type, fingerprint }) => `${type} ${fingerprint}`).join(' or '),
    seen,
    cure: 'If the machine was reinstalled or its keys were renewed, compare with `ssh-keygen -l -f /etc/ssh/ssh_host_…_key.pub` on the machine itself '
      + 'and put that key into its entry; if not, someone may be in between',
  })
}
