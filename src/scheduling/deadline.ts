import type { Clock } from './clock.js'

/**
 * Runs `task` with a signal that is aborted when `signal` is, or with `late()` after `ms` milliseconds; settles at that moment even if the
 * task does not. The one timer and the one listener are gone afterwards, however it ends.
 */
export async function withDeadline<T>(
  { clock, ms, signal, late }: { clock: Clock; ms: number; signal: AbortSignal; late: () => Error },
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  let stop = () => {}
  const interrupted = new Promise<never>((_resolve, reject) => {
    const cut = (reason: Error) => {
      // Rejected first: the task's own complaint about being aborted must not win.
      reject(reason)
      controller.abort(reason)
    }
    const onAbort = () => cut(signal.reason as Error)
    const cancel = clock.after(ms, () => cut(late()))
    signal.addEventListener('abort', onAbort, { once: true })
    stop = () => {
      cancel()
      signal.removeEventListener('abort', onAbort)
    }
  })
  try {
    return await Promise.race([interrupted, task(controller.signal)])
  } finally {
    stop()
  }
}
