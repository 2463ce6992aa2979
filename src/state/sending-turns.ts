/**
 * Who sends which store item to a machine, so that builds that start together do not send the same gigabyte each. An item is a byte of `STATE/offload/NAME:PORT/sending`, locked by
 * the hook that sends it: no file for each item, nothing to clean up, and the kernel unlocks what a dead hook held. Two items that share a byte cost a wait, no more.
 */
import { closeSync, constants, mkdirSync, openSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BuildMachine } from '../plugin-api/index.js'
import { recordLock } from './record-lock.js'

/** Milliseconds between two looks. */
const lookAgainMs = 200
/** Whoever sends for longer than that, in milliseconds, is not waited for: sending twice does no harm but to the link. */
const patienceMs = 15 * 60_000

export interface SendingTurn {
  /** Somebody else has sent something meanwhile. */
  readonly waited: boolean
  /** Safe to call twice. */
  release(): void
}

const noTurn: SendingTurn = { waited: false, release: () => undefined }

export class SendingTurns {
  readonly #folder: string

  constructor(stateDirectory: string) {
    this.#folder = join(stateDirectory, 'offload')
  }

  /**
   * Waits until nobody else on this host sends one of the items to the machine. It is an optimisation: where the file cannot be written, nobody waits.
   * @param onWait called once if there is somebody
   * @throws the signal's reason
   */
  async take({ name, port }: Pick<BuildMachine, 'name' | 'port'>, paths: readonly string[], onWait: () => void, signal: AbortSignal): Promise<SendingTurn> {
    const fd = this.#open(`${name}:${port}`)
    if (fd === undefined) return noTurn
    const patience = AbortSignal.timeout(patienceMs)
    let open = true
    let waited = false
    try {
      // All hooks take them in the same order: none waits for one that waits for it.
      for (const offset of new Set(paths.map(byteOf).sort((a, b) => a - b))) {
        while (!patience.aborted && !recordLock().tryLockByte(fd, offset)) {
          if (!waited) onWait()
          waited = true
          await sleep(lookAgainMs, undefined, { signal })
        }
      }
    } catch (error) {
      closeSync(fd)
      signal.throwIfAborted()
      throw error
    }
    return {
      waited,
      release() {
        if (open) closeSync(fd)
        open = false
      },
    }
  }

  #open(machine: string): number | undefined {
    try {
      mkdirSync(join(this.#folder, machine), { recursive: true })
      return openSync(join(this.#folder, machine, 'sending'), constants.O_WRONLY | constants.O_CREAT, 0o666)
    } catch {
      return undefined
    }
  }
}

/** From the first six characters of its hash. */
function byteOf(path: string): number {
  return Buffer.from(basename(path), 'latin1').readUIntBE(0, 6)
}
