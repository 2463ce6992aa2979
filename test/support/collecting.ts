import { setTimeout as sleep } from 'node:timers/promises'
import type { Machine } from '../testbed/machine.js'

export interface Collector {
  /** Collections that came to their end. */
  readonly count: number
  /** Once the last one is over. */
  stop(): Promise<void>
}

/**
 * Collects garbage on a machine again and again until told to stop.
 * @param dauntless goes on where a collection fails, as it does when its daemon is killed
 */
export function collecting(machine: Machine, { dauntless = false } = {}): Collector {
  let [count, stopped] = [0, false]
  const running = (async () => {
    while (!stopped) {
      const { exitCode } = await machine.guixCommand(['gc'], { reject: !dauntless })
      if (exitCode === 0) count += 1
      else await sleep(100)
    }
  })()
  // Told at once, whoever waits for it.
  running.catch(() => undefined)
  return {
    get count() {
      return count
    },
    stop() {
      stopped = true
      return running
    },
  }
}
