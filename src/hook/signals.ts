import { constants } from 'node:os'

const ends = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/**
 * An abort signal that the ending signals trigger, so that what was begun can be cleaned up. The second one ends the process at once.
 * @returns the signal, and how to stop listening
 */
export function abortOnSignals(): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController()
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(128 + constants.signals[name])
    controller.abort(new DOMException(`stopped by ${name}`, 'AbortError'))
  }
  for (const name of ends) process.on(name, onSignal)
  return {
    signal: controller.signal,
    dispose() {
      for (const name of ends) process.off(name, onSignal)
    },
  }
}
