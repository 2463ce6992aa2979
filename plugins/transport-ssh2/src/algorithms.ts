/**
 * What we offer in the key exchange. The first of our list that the server knows is taken (RFC 4253, 7.1), so the order is ours to choose: AES-128-GCM is the
 * fastest with AES instructions, and needs no separate MAC.
 */
import type { BuildMachine, Log } from 'guix-offload/plugin-api'
import type { CipherAlgorithm, CompressionAlgorithm, KexAlgorithm, MacAlgorithm, ServerHostKeyAlgorithm } from 'ssh2'
import { hostKeyAlgorithms, type HostKey } from './host-key.js'

export interface Offer {
  readonly kex: KexAlgorithm[]
  readonly serverHostKey: ServerHostKeyAlgorithm[]
  readonly cipher: CipherAlgorithm[]
  readonly hmac: MacAlgorithm[]
  readonly compress: CompressionAlgorithm[]
}

const kex: readonly KexAlgorithm[] = [
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
  'diffie-hellman-group14-sha256',
  'diffie-hellman-group16-sha512',
  'diffie-hellman-group18-sha512',
  'diffie-hellman-group-exchange-sha256',
]
const counterModes: readonly CipherAlgorithm[] = ['aes128-ctr', 'aes192-ctr', 'aes256-ctr']
const macs: readonly MacAlgorithm[] = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512']
const compressions: readonly CompressionAlgorithm[] = ['none', 'zlib@openssh.com', 'zlib']

/** @param native - Whether ssh2's compiled cryptography works: without it ChaCha20 is too slow to be worth offering. */
export function offerFor(machine: BuildMachine, pins: readonly HostKey[], native: boolean, log: Log): Offer {
  const legacy = machine.settings?.legacyAlgorithms === true
  return {
    kex: [...kex, ...(legacy ? (['diffie-hellman-group14-sha1'] as const) : [])],
    serverHostKey: hostKeyAlgorithms(pins, legacy),
    cipher: [
      'aes128-gcm@openssh.com',
      'aes256-gcm@openssh.com',
      ...(native ? (['chacha20-poly1305@openssh.com'] as const) : []),
      ...counterModes,
      ...(legacy ? (['aes256-cbc'] as const) : []),
    ],
    hmac: [...macs, ...(legacy ? (['hmac-sha1'] as const) : [])],
    compress: compressionOffer(machine, log),
  }
}

/** Nothing said: none. A server that cannot compress is no reason to fail, so `none` is always there, at the end unless asked for earlier. */
function compressionOffer(machine: BuildMachine, log: Log): CompressionAlgorithm[] {
  const wanted = (machine.compression ?? 'none').split(',').map((name) => name.trim()).filter((name) => name !== '')
  const known = wanted.flatMap((name) => compressions.filter((algorithm) => algorithm === name))
  const unknown = wanted.filter((name) => !compressions.some((algorithm) => algorithm === name))
  if (unknown.length > 0) log.warn(`${machine.name}: compression ${unknown.join(', ')} is not known and not used; known are ${compressions.join(', ')}`)
  return [...new Set<CompressionAlgorithm>([...known, 'none'])]
}
