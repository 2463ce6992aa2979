/**
 * Errors that nobody catches, thrown by installed plugins in timers, listeners and forgotten promises. Node would end the process, and with it a build that may have nothing
 * to do with the plugin. Those whose stack leads into a plugin's folder are told once for each plugin; all others end the process as ever.
 */
import { sep } from 'node:path'
import type { Log } from '../plugin-api/index.js'

interface Forgiven {
  readonly name: string
  readonly log: Log
  told: boolean
}

const byFolder = new Map<string, Forgiven>()

/** @param folder of that plugin, without links */
export function forgiveStrayErrors(name: string, folder: string, log: Log): void {
  if (byFolder.size === 0) process.on('uncaughtException', onStray)
  byFolder.set(folder, { name, log, told: false })
}

function onStray(error: unknown): void {
  const stack = error instanceof Error ? error.stack ?? '' : ''
  const [, culprit] = [...byFolder].find(([folder]) => stack.includes(folder + sep)) ?? []
  if (culprit === undefined) {
    // As Node would.
    process.stderr.write(`${stack === '' ? `Uncaught ${String(error)}` : stack}\n`)
    process.exit(1)
  }
  if (culprit.told) return
  culprit.told = true
  culprit.log.warn(`plugin ${culprit.name} threw an error that it did not catch: ${(error as Error).message.split('\n', 1)[0] ?? ''}`)
}
