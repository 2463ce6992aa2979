/**
 * One process at a time starts a control master. Two that did so at once would both log in, and the one that comes late to its socket would go on
 * without: "already exists, disabling multiplexing", a connection that nobody uses and nobody ends. The lock belongs to an open file: the kernel
 * drops it when the process dies.
 */
import { createRequire } from 'node:module'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { abortReason } from 'guix-offload-ssh-common/failures.js'

interface NativeLocks {
  tryLock(fd: number, offset: number, length: number, exclusive: boolean): void
}

let native: NativeLocks | undefined

/** The package's own loader looks in many places first. */
function locks(): NativeLocks {
  native ??= createRequire(import.meta.url)(`fs-native-extensions/prebuilds/linux-${process.arch}/fs-native-extensions.node`) as NativeLocks
  return native
}

function tryLock(fd: number): boolean {
  try {
    locks().tryLock(fd, 0, 0, true)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EAGAIN' || code === 'EACCES') return false
    throw error
  }
}

/**
 * Does `work` while holding the lock. Before that, and then again and again while another process has it, `ready` is asked whether there is any need
 * to.
 * @throws what `late` makes when the lock was not to be had in `waitMs`; after an abort the signal's reason
 */
export async function withLock<T>(path: string, { ready, work, waitMs, late, signal }: {
  readonly ready: () => Promise<T | undefined>
  readonly work: () => Promise<T>
  readonly waitMs: number
  readonly late: () => Error
  readonly signal: AbortSignal
}): Promise<T> {
  const file = await open(path, 'a', 0o600)
  try {
    const due = performance.now() + waitMs
    for (let pause = 5; !tryLock(file.fd); pause = Math.min(100, pause * 1.5)) {
      if (signal.aborted) throw abortReason(signal)
      if (performance.now() > due) throw late()
      await sleep(pause)
      const found = await ready()
      if (found !== undefined) return found
    }
    return await ready() ?? await work()
  } finally {
    await file.close()
  }
}
