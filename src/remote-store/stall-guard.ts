import type { MachineError } from '../errors/offload-error.js'
import type { ByteChannel } from '../protocol/byte-channel.js'
import { daemonSilent } from './daemon-silent.js'

/**
 * Gives up a channel on which nothing moves. The link below may be fine, its keep-alive answered, and the daemon at the other end hang all the same. Only waiting for the
 * peer counts: while we are busy with what it sent, nothing is being waited for.
 */
export class StallGuard implements ByteChannel {
  /** Milliseconds one wait may take; undefined: for ever. */
  limitMs: number | undefined
  /** What is being done, for the error. */
  step = 'reaching its guix-daemon'
  readonly #channel: ByteChannel
  readonly #machine: string
  #failure: MachineError | undefined
  #suspended = false
  #fail: ((error: MachineError) => void) | undefined

  constructor(channel: ByteChannel, machine: string, limitMs: number | undefined) {
    this.#channel = channel
    this.#machine = machine
    this.limitMs = limitMs
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#watched('said nothing', () => this.#channel.read())
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#watched('taken nothing', () => this.#channel.write(bytes))
  }

  close(): void {
    this.#channel.close()
  }

  /** Lets the wait at hand, and the next one if there is none, take as long as it takes. */
  suspend(): void {
    this.#suspended = true
  }

  /** Breaks the channel for a reason of the caller's. */
  fail(error: MachineError): void {
    this.#failure ??= error
    this.#fail?.(this.#failure)
    this.#channel.close()
  }

  async #watched<T>(what: string, wait: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure
    const limitMs = this.#suspended ? undefined : this.limitMs
    this.#suspended = false
    let timer: NodeJS.Timeout | undefined
    const failed = new Promise<never>((_resolve, reject) => {
      this.#fail = reject
      if (limitMs === undefined) return
      timer = setTimeout(() => {
        this.fail(daemonSilent(this.#machine, this.step, what, limitMs))
      }, limitMs)
    })
    try {
      return await Promise.race([wait(), failed])
    } catch (error) {
      throw this.#failure ?? error
    } finally {
      clearTimeout(timer)
      this.#fail = undefined
    }
  }
}
