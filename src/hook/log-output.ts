import { createWriteStream, fstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs'
import { Socket } from 'node:net'
import { Writable } from 'node:stream'

/** guix-daemon reads the build log on this descriptor. */
const logFd = 4

/**
 * Where the builder's output goes, byte for byte. It takes as much as the daemon reads (`write` returns false, `drain` follows); it never fails:
 * if the descriptor is not open, or closed early, what is written goes nowhere, for the build matters more than its log. Ending it closes the
 * descriptor.
 */
export function openBuildLog(fd = logFd): Writable {
  return new BuildLog(openTarget(fd))
}

class BuildLog extends Writable {
  #target: Writable | undefined

  constructor(target: Writable | undefined) {
    super({ decodeStrings: true })
    this.#target = target
    target?.on('error', () => {
      this.#target = undefined
    })
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#target === undefined) done()
    else this.#target.write(chunk, () => done())
  }

  override _final(done: () => void): void {
    if (this.#target === undefined) done()
    else this.#target.end(() => done())
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#target?.destroy()
    done(error)
  }
}

function openTarget(fd: number): Writable | undefined {
  const stats = statOpen(fd)
  if (stats === undefined || !isForWriting(fd)) return undefined
  // As a socket, not as a file: a file's writes block a thread, and a process with a blocked thread cannot exit.
  if (stats.isFIFO() || stats.isSocket()) return isOwnPipe(fd) ? undefined : new Socket({ fd, readable: false, writable: true })
  return stats.isFile() || stats.isCharacterDevice() ? createWriteStream('', { fd }) : undefined
}

function statOpen(fd: number): Stats | undefined {
  try {
    return fstatSync(fd)
  } catch {
    return undefined
  }
}

function isForWriting(fd: number): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
  return flags !== undefined && (parseInt(flags, 8) & 3) !== 0
}

/**
 * Node opens pipes for itself at start-up. If nobody gave us the descriptor, its number may be one of those: then the end for reading is here too.
 */
function isOwnPipe(fd: number): boolean {
  const target = link(String(fd))
  return readdirSync('/proc/self/fd').some((other) => other !== String(fd) && link(other) === target && !isForWriting(Number(other)))
}

function link(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}
