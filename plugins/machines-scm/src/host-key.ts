/**
 * OpenSSH's one-line form of a public key (RFC 4253, section 6.6): `TYPE BASE64 [COMMENT]`, where BASE64 holds strings with 32-bit big-endian lengths, the first
 * of which is TYPE again.
 */
export type HostKeyCheck = { readonly problem?: undefined } | { readonly problem: string }

/** How many strings follow the type, for the types that OpenSSH writes. */
const PARTS: Readonly<Record<string, number>> = {
  'ssh-ed25519': 1, 'ssh-rsa': 2, 'ssh-dss': 4, 'ecdsa-sha2-nistp256': 2, 'ecdsa-sha2-nistp384': 2, 'ecdsa-sha2-nistp521': 2,
  'sk-ssh-ed25519@openssh.com': 2, 'sk-ecdsa-sha2-nistp256@openssh.com': 3,
}

function strings(blob: Buffer): Buffer[] | undefined {
  const found: Buffer[] = []
  for (let at = 0; at < blob.length; ) {
    if (at + 4 > blob.length) return undefined
    const end = at + 4 + blob.readUInt32BE(at)
    if (end > blob.length) return undefined
    found.push(blob.subarray(at + 4, end))
    at = end
  }
  return found
}

/** What is wrong with a host key line, without the machine's name. */
export function checkHostKey(line: string): HostKeyCheck {
  const trimmed = line.trim()
  if (trimmed === '') return { problem: 'it is empty' }
  if (trimmed.includes('\n')) return { problem: 'it is more than one line' }
  const [type = '', encoded = ''] = trimmed.split(/[ \t]+/)
  const parts = PARTS[type]
  if (parts === undefined) return { problem: `"${type}" is no key type` }
  if (encoded === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return { problem: 'what follows the key type is not base64' }
  const found = strings(Buffer.from(encoded, 'base64'))
  if (found === undefined || found[0]?.toString('latin1') !== type || found.length !== parts + 1) return { problem: `what follows the key type is not a whole ${type} key` }
  if (type === 'ssh-ed25519' && found[1]?.length !== 32) return { problem: 'an ssh-ed25519 key has 32 bytes' }
  return {}
}
