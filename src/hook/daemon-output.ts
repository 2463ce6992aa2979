import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'

export type Reply = 'accept' | 'decline' | 'postpone'

/**
 * What guix-daemon reads of us: replies and messages for the user, on one pipe (fds 1 and 2 are the same). Written synchronously, so that
 * nothing is lost however the process ends and replies and messages keep their order.
 */
export class DaemonOutput {
  readonly #fd: number
  readonly #gone = new AbortController()

  constructor(fd = 2) {
    this.#fd = fd
  }

  /** Aborted once nobody reads us any more. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** False if nobody is there to read it. */
  reply(reply: Reply): boolean {
    return this.#write(`# ${reply}\n`)
  }

  /** One message, of one line or more, for the user; what looks like a reply is made not to. */
  message(text: string): void {
    const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
    this.#write(lines.map((line) => `${line.startsWith('# ') ? ' ' : ''}${line}\n`).join(''))
  }

  /** Looks from time to time whether anybody still reads us: a silent build gives no occasion to notice. Returns how to stop. */
  watch(milliseconds = 1_000): () => void {
    if (!isPipe(this.#fd)) return () => undefined
    const timer = setInterval(() => {
      if (!hasReader(this.#fd)) this.#gone.abort(new Error('nobody reads our messages any more'))
    }, milliseconds)
    return () => clearInterval(timer)
  }

  #write(text: string): boolean {
    const bytes = Buffer.from(text, 'utf8')
    let written = 0
    while (written < bytes.length && !this.#gone.signal.aborted) {
      try {
        written += writeSync(this.#fd, bytes, written)
      } catch (error) {
        // The pipe is full and somebody has made it non-blocking: wait as a blocking one would.
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
        else this.#gone.abort(error)
      }
    }
    return written === bytes.length
  }
}

/** What is none, or closed, tells nothing of its reader: a socket, say, can never be opened as below. */
function isPipe(fd: number): boolean {
  try {
    return fstatSync(fd).isFIFO()
  } catch {
    return false
  }
}

/** A pipe that nobody reads cannot be opened for writing without waiting; whatever else goes wrong tells nothing. */
function hasReader(fd: number): boolean {
  try {
    closeSync(openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY))
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENXIO'
  }
}
