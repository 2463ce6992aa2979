/**
 * What a server says before encryption starts: any lines of text, its identification line (RFC 4253, 4.2), then the packet with its algorithms (KEXINIT, 7.1).
 * lsh shows none of it when it goes wrong, so a connection of our own listens, too: it tells a closed port from a silent server, and what the server offers.
 */
import type { Socket } from 'node:net'
import { WireReader } from 'guix-offload-ssh-common/wire.js'

export interface ServerHello {
  /** Text before the identification line; all there is if that never came. */
  readonly text: string
  /** What follows `SSH-2.0-`. */
  readonly software?: string
  readonly algorithms?: ServerAlgorithms
}

/** By kind, what the server offers. */
export type ServerAlgorithms = Readonly<Record<'key exchange method' | 'host key algorithm' | 'cipher' | 'message authentication code', readonly string[]>>

/** Enough for any server's; more is not kept. */
const helloLimit = 64 * 1024
const kexInit = 20
const cookieBytes = 16

/** Collects what comes on a connection until it is complete, then hangs up. */
export class HelloListener {
  private received = Buffer.alloc(0)
  constructor(private readonly socket: Socket) {
    // OpenSSH offers its algorithms only to those who have introduced themselves.
    socket.write('SSH-2.0-guix-offload\r\n')
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk])
      if (this.received.length > helloLimit || parseServerHello(this.received).algorithms !== undefined) this.stop()
    })
  }

  /** All that came, when the server is done or so many milliseconds have passed. */
  async hello(withinMs: number): Promise<ServerHello> {
    if (!this.socket.closed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs)
        this.socket.once('close', () => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    return parseServerHello(this.received)
  }

  stop(): void {
    this.socket.destroy()
  }
}

export function parseServerHello(bytes: Buffer): ServerHello {
  for (let start = 0; ;) {
    const end = bytes.indexOf(10, start)
    const identification = /^SSH-(?:2\.0|1\.99)-(.*)$/.exec(printable(bytes.subarray(start, end === -1 ? bytes.length : end)))
    if (end === -1) return { text: printable(bytes) }
    if (identification !== null) {
      const algorithms = parseKexInit(bytes.subarray(end + 1))
      return { text: printable(bytes.subarray(0, start)), software: identification[1] ?? '', ...(algorithms === undefined ? {} : { algorithms }) }
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
  const reader = new WireReader(bytes.subarray(6 + cookieBytes))
  try {
    // One list for each direction from the ciphers on; servers offer the same for both.
    const [kex, hostKey, cipher, , mac] = Array.from({ length: 5 }, (): string[] | undefined => reader.text().split(','))
    return { 'key exchange method': kex ?? [], 'host key algorithm': hostKey ?? [], 'cipher': cipher ?? [], 'message authentication code': mac ?? [] }
  } catch {
    return undefined
  }
}

/** What lsh 2.1 knows, as far as it offers it. */
const ours: ServerAlgorithms = {
  'key exchange method': ['diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1'],
  'host key algorithm': ['ssh-rsa', 'ssh-dss', 'spki-sign-rsa', 'spki-sign-dss'],
  'cipher': ['aes256-cbc', '3des-cbc', 'blowfish-cbc', 'arcfour'],
  'message authentication code': ['hmac-sha1', 'hmac-md5'],
}

export interface Disagreement {
  readonly what: string
  readonly ours: readonly string[]
  readonly theirs: readonly string[]
}

/** The first kind of algorithm that lsh and the server have none of in common. */
export function disagreement(theirs: ServerAlgorithms): Disagreement | undefined {
  const kinds = Object.keys(ours) as (keyof ServerAlgorithms)[]
  const what = kinds.find((kind) => !ours[kind].some((name) => theirs[kind].includes(name)))
  return what === undefined ? undefined : { what, ours: ours[what], theirs: theirs[what] }
}
