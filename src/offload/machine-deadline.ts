import { MachineError } from '../errors/offload-error.js'
import { machineId } from '../machines/machine-id.js'
import type { BuildMachine } from '../plugin-api/index.js'

/**
 * Gives each machine its own time: work that heeds the signal ends with an error that names the machine, and no other machine waits for it.
 * @param milliseconds for all of the work together
 */
export async function withMachineDeadline<T>(
  machine: BuildMachine,
  step: string,
  milliseconds: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer.throwIfAborted()
  const controller = new AbortController()
  const onAbort = (): void => controller.abort(outer.reason)
  outer.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => {
    controller.abort(
      new MachineError({
        code: 'machine-deadline',
        machine: machineId(machine),
        step,
        problem: `not finished within ${milliseconds / 1000} s`,
        cure: 'The machine or the way to it may be overloaded or hang',
      }),
    )
  }, milliseconds)
  try {
    return await Promise.race([work(controller.signal), aborted(controller.signal)])
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', onAbort)
    // Whatever the work left running ends now.
    controller.abort(new DOMException('finished', 'AbortError'))
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

/** One of each name and port: a machine may be listed once for each of its systems. */
export function withoutRepetitions(machines: readonly BuildMachine[]): BuildMachine[] {
  const seen = new Map<string, BuildMachine>()
  for (const machine of machines) if (!seen.has(machineId(machine))) seen.set(machineId(machine), machine)
  return [...seen.values()]
}
