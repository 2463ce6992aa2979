import { WireReader, wireString } from 'guix-offload-ssh-common/wire.js'

/**
 * RFC 3447 wants an RSA signature to be as long as the modulus, and cryptographic libraries take no other. lshd writes the number it is without its leading zeros, so that one
 * in 256 of its signatures is a byte too short; OpenSSH's client fills them up, and so do we.
 * @param hostKey - As on the wire (RFC 4253, 6.6).
 * @param signature - As on the wire: the name of the algorithm, and the signature itself.
 * @returns the signature at full length; the same one if nothing is to be done
 */
export function wholeSignature(hostKey: Buffer, signature: Buffer): Buffer {
  const [type, , modulus] = stringsIn(hostKey)
  const [algorithm, number, ...others] = stringsIn(signature)
  if (type?.toString('latin1') !== 'ssh-rsa' || modulus === undefined || algorithm === undefined || number === undefined || others.length > 0) return signature
  // As a positive number it may start with a zero byte.
  const missing = modulus.length - (modulus[0] === 0 ? 1 : 0) - number.length
  if (missing <= 0) return signature
  return Buffer.concat([wireString(algorithm), wireString(Buffer.concat([Buffer.alloc(missing), number]))])
}

/** None if they do not fill the bytes. */
function stringsIn(bytes: Buffer): Buffer[] {
  const reader = new WireReader(bytes)
  const found: Buffer[] = []
  try {
    while (reader.rest > 0) found.push(reader.string())
    return found
  } catch {
    return []
  }
}
