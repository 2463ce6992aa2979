/**
 * OpenSSH host certificates (PROTOCOL.certkeys): an authority's signature that a key belongs to the machines named in it. Checked here, so that every transport can go on
 * pinning the plain key, which the server has beside its certificate.
 */
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { parsePublicKey, Reader, type PublicKey } from './host-key.js'

export interface Certified {
  readonly key: PublicKey
  readonly authority: PublicKey
}

/** What follows the nonce, by type: the members of the key itself. */
const keyParts: Readonly<Record<string, { readonly type: string; readonly count: number }>> = {
  'ssh-ed25519-cert-v01@openssh.com': { type: 'ssh-ed25519', count: 1 },
  'ssh-rsa-cert-v01@openssh.com': { type: 'ssh-rsa', count: 2 },
  'ecdsa-sha2-nistp256-cert-v01@openssh.com': { type: 'ecdsa-sha2-nistp256', count: 2 },
  'ecdsa-sha2-nistp384-cert-v01@openssh.com': { type: 'ecdsa-sha2-nistp384', count: 2 },
  'ecdsa-sha2-nistp521-cert-v01@openssh.com': { type: 'ecdsa-sha2-nistp521', count: 2 },
}
const hostCertificate = 2

/**
 * @param name the machine's host name, which must be one of the principals, word for word
 * @param now milliseconds since the epoch
 * @returns whose key it is, or what is wrong, as the end of a sentence that begins with `its certificate`
 */
export function checkCertificate(base64: string, name: string, now: number): Certified | { readonly problem: string } {
  try {
    const blob = Buffer.from(base64, 'base64')
    const reader = new Reader(blob)
    const shape = keyParts[reader.text()]
    if (shape === undefined) return { problem: 'is of a type that is not known here' }
    reader.string()
    const members = Array.from({ length: shape.count }, () => reader.string())
    reader.uint64()
    const kind = reader.uint32()
    reader.string()
    const principals = stringsIn(reader.string())
    const [after, before] = [reader.uint64(), reader.uint64()]
    const critical = reader.string()
    reader.string()
    reader.string()
    const authorityBlob = reader.string()
    const signed = blob.subarray(0, reader.offset)
    const signature = new Reader(reader.string())
    const key = parsePublicKey(`${shape.type} ${keyBlob(shape.type, members).toString('base64')}`)
    const authority = parsePublicKey(`${new Reader(authorityBlob).text()} ${authorityBlob.toString('base64')}`)
    if (!reader.atEnd || key === undefined || authority === undefined) return { problem: 'is not whole' }
    if (kind !== hostCertificate) return { problem: 'is that of a user, not of a host' }
    if (critical.length > 0) return { problem: 'has conditions that are not known here' }
    const seconds = BigInt(Math.floor(now / 1000))
    if (seconds < after) return { problem: 'is not valid yet' }
    if (seconds >= before) return { problem: 'has expired' }
    if (!principals.some((principal) => principal.toLowerCase() === name)) return { problem: `is not for ${name}` }
    if (!isSigned(signed, signature, authority)) return { problem: 'has a wrong signature' }
    return { key, authority }
  } catch {
    return { problem: 'is not whole' }
  }
}

function stringsIn(bytes: Buffer): string[] {
  const reader = new Reader(bytes)
  const strings: string[] = []
  while (!reader.atEnd) strings.push(reader.text())
  return strings
}

function sshString(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

const keyBlob = (type: string, members: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from(type), ...members].map(sshString))

const curves: Readonly<Record<string, { readonly crv: string; readonly hash: string; readonly bytes: number }>> = {
  'ecdsa-sha2-nistp256': { crv: 'P-256', hash: 'sha256', bytes: 32 },
  'ecdsa-sha2-nistp384': { crv: 'P-384', hash: 'sha384', bytes: 48 },
  'ecdsa-sha2-nistp521': { crv: 'P-521', hash: 'sha512', bytes: 66 },
}

/** SHA-1, as in `ssh-rsa`, is no signature any more. */
const rsaHashes: Readonly<Record<string, string>> = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' }

function isSigned(signed: Buffer, signature: Reader, authority: PublicKey): boolean {
  const algorithm = signature.text()
  const bytes = signature.string()
  const key = new Reader(authority.blob)
  key.string()
  if (authority.type === 'ssh-ed25519') return algorithm === 'ssh-ed25519' && verify(null, signed, jwk({ kty: 'OKP', crv: 'Ed25519', x: key.string().toString('base64url') }), bytes)
  if (authority.type === 'ssh-rsa') {
    const hash = rsaHashes[algorithm]
    const [e, n] = [key.string(), key.string()].map((number) => unsigned(number).toString('base64url'))
    return hash !== undefined && e !== undefined && n !== undefined && n.length >= 340 && verify(hash, signed, jwk({ kty: 'RSA', e, n }), bytes)
  }
  const curve = curves[authority.type]
  if (curve === undefined || algorithm !== authority.type) return false
  key.string()
  const point = key.string()
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4) return false
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)].map((part) => part.toString('base64url'))
  if (x === undefined || y === undefined) return false
  const numbers = new Reader(bytes)
  const plain = Buffer.concat([numbers.string(), numbers.string()].map((number) => padded(unsigned(number), curve.bytes)))
  return verify(curve.hash, signed, { key: jwk({ kty: 'EC', crv: curve.crv, x, y }), dsaEncoding: 'ieee-p1363' }, plain)
}

const jwk = (key: Record<string, string>): KeyObject => createPublicKey({ key, format: 'jwk' })

/** An mpint has a zero byte in front where its first bit would be a sign. */
const unsigned = (number: Buffer): Buffer => (number[0] === 0 ? number.subarray(1) : number)

function padded(number: Buffer, length: number): Buffer {
  if (number.length > length) throw new RangeError('too long')
  return Buffer.concat([Buffer.alloc(length - number.length), number])
}
