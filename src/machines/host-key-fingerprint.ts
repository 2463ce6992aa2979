import { createHash } from 'node:crypto'

/** As `ssh-keygen -l` prints it, of a key in OpenSSH's one-line form; undefined: that is none. */
export function hostKeyFingerprint(line: string): string | undefined {
  const [type = '', base64 = ''] = line.trim().split(/[ \t]+/)
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  const blob = Buffer.from(base64, 'base64')
  if (blob.length < 4 || blob.subarray(4, 4 + blob.readUInt32BE()).toString('latin1') !== type) return undefined
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}
