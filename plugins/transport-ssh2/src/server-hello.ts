/**
 * What a server says before encryption starts: any lines of text, its identification line (RFC 4253, 4.2), then the binary packet with its algorithms
 * (KEXINIT, 7.1). Read from the raw bytes, since ssh2 keeps none of it, and only when wanted: to name the server, and to explain why nothing came of it.
 * Never fails: what is not there yet, or is damaged, is left out.
 */
import type { Offer } from './algorithms.js'

export interface ServerHello {
  /** Text before the identification line; all there is if that never came. */
  readonly text: string
  /** What follows `SSH-2.0-`, e.g. `OpenSSH_9.2p1 Debian-2`. */
  readonly software?: string
  readonly algorithms?: ServerAlgorithms
}

export type ServerAlgorithms = Readonly<Record<(typeof listNames)[number], readonly string[]>>

/** Enough for any server's; more is not kept. */
export const helloLimit = 64 * 1024

const listNames = ['kex', 'serverHostKey', 'cipherOut', 'cipherIn', 'macOut', 'macIn', 'compressOut', 'compressIn'] as const
const kexInit = 20
const cookieBytes = 16

export function parseServerHello(bytes: Buffer): ServerHello {
  let start = 0
  for (;;) {
    const end = bytes.indexOf(10, start)
    const line = printable(bytes.subarray(start, end === -1 ? bytes.length : end))
    const identification = /^SSH-(?:2\.0|1\.99)-(.*)$/.exec(line)
    if (end === -1 || identification !== null) {
      const text = printable(bytes.subarray(0, end === -1 ? bytes.length : start))
      if (end === -1 || identification === null) return { text }
      const algorithms = parseKexInit(bytes.subarray(end + 1))
      return { text, software: identification[1] ?? '', ...(algorithms === undefined ? {} : { algorithms }) }
    }
    start = end + 1
  }
}

/** One line, for people. */
function printable(bytes: Buffer): string {
   
  return bytes.toString('latin1').replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ').trim()
}

function parseKexInit(bytes: Buffer): ServerAlgorithms | undefined {
  if (bytes.length < 6 || bytes[5] !== kexInit) return undefined
  let offset = 6 + cookieBytes
  const lists: string[][] = []
  for (const _ of listNames) {
    if (bytes.length < offset + 4) return undefined
    const length = bytes.readUInt32BE(offset)
    if (length > helloLimit || bytes.length < offset + 4 + length) return undefined
    lists.push(bytes.toString('latin1', offset + 4, offset + 4 + length).split(','))
    offset += 4 + length
  }
  return Object.fromEntries(listNames.map((name, index) => [name, lists[index] ?? []])) as Record<(typeof listNames)[number], string[]>
}

export interface Disagreement {
  /** Of what nothing is common, for people. */
  readonly what: string
  readonly ours: readonly string[]
  readonly theirs: readonly string[]
}

/** The first kind of algorithm that both sides have none of in common. */
export function disagreement(ours: Offer, theirs: ServerAlgorithms): Disagreement | undefined {
  const cipher = ours.cipher.find((name) => theirs.cipherOut.includes(name))
  const needsMac = cipher === undefined || !/gcm|poly1305/.test(cipher)
  const kinds: Disagreement[] = [
    { what: 'key exchange method', ours: ours.kex, theirs: theirs.kex },
    { what: 'host key algorithm', ours: ours.serverHostKey, theirs: theirs.serverHostKey },
    { what: 'cipher', ours: ours.cipher, theirs: theirs.cipherOut },
    { what: 'cipher', ours: ours.cipher, theirs: theirs.cipherIn },
    ...(needsMac ? [{ what: 'message authentication code', ours: ours.hmac, theirs: theirs.macOut }, { what: 'message authentication code', ours: ours.hmac, theirs: theirs.macIn }] : []),
    { what: 'compression', ours: ours.compress, theirs: theirs.compressOut },
    { what: 'compression', ours: ours.compress, theirs: theirs.compressIn },
  ]
  return kinds.find((kind) => !kind.ours.some((name) => kind.theirs.includes(name)))
}
