import { Writable } from 'node:stream'
import type { DaemonOutput } from './daemon-output.js'

/**
 * For the rest of the process, what any code prints to stdout or stderr reaches guix-daemon as messages, a whole line at a time: both are the pipe that carries our replies, and
 * a plugin's forgotten `console.log` must not pass for one, nor end up within one. The streams that Node would make are never made.
 */
export function guardStreams(output: Pick<DaemonOutput, 'message'>): void {
  for (const name of ['stdout', 'stderr'] as const) {
    let stream: Writable | undefined
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => (stream ??= new MessageStream(output)) })
  }
}

/** More than a line ever has: printed without an end of line it is passed on in pieces. */
const maxLine = 64 * 1024

class MessageStream extends Writable {
  #line = ''
  readonly #output: Pick<DaemonOutput, 'message'>

  constructor(output: Pick<DaemonOutput, 'message'>) {
    super({ decodeStrings: false, defaultEncoding: 'utf8' })
    this.#output = output
    process.once('exit', () => this.#flush())
  }

  override _write(chunk: Buffer | string, _encoding: BufferEncoding, done: () => void): void {
    const text = this.#line + String(chunk)
    const end = text.lastIndexOf('\n')
    this.#line = text.slice(end + 1)
    if (end >= 0) this.#output.message(text.slice(0, end + 1))
    if (this.#line.length > maxLine) this.#flush()
    done()
  }

  #flush(): void {
    if (this.#line !== '') this.#output.message(this.#line)
    this.#line = ''
  }
}
