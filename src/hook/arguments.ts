import { ConfigurationError } from '../errors/offload-error.js'

/** What guix-daemon says once, on the command line. */
export interface HookArguments {
  /** The system the daemon builds for by itself. */
  readonly system: string
  /** Seconds a builder may be silent; 0: for ever. */
  readonly maxSilentSeconds: number
  readonly printBuildTrace: boolean
  /** Seconds a build may take; 0: for ever. */
  readonly buildTimeoutSeconds: number
}

const booleans: Readonly<Record<string, boolean>> = { true: true, false: false, 1: true, 0: false }

/**
 * Reads `SYSTEM MAX-SILENT-TIME PRINT-BUILD-TRACE BUILD-TIMEOUT`. Daemons up to 1.4 write the third as 1 or 0, later ones as true or false.
 * @throws ConfigurationError `invalid-hook-argument`
 */
export function parseHookArguments(words: readonly string[]): HookArguments {
  const [system = '', maxSilent = '', trace = '', timeout = ''] = words
  if (words.length !== 4) {
    throw invalid('the command line', 'SYSTEM MAX-SILENT-TIME PRINT-BUILD-TRACE BUILD-TIMEOUT', words.length === 0 ? 'nothing' : words.join(' '))
  }
  if (!/^[a-z0-9_-]+$/.test(system)) throw invalid('SYSTEM', 'a system type such as x86_64-linux', JSON.stringify(system))
  const printBuildTrace = Object.hasOwn(booleans, trace) ? booleans[trace] : undefined
  if (printBuildTrace === undefined) throw invalid('PRINT-BUILD-TRACE', 'true, false, 1 or 0', JSON.stringify(trace))
  return {
    system,
    maxSilentSeconds: seconds('MAX-SILENT-TIME', maxSilent),
    printBuildTrace,
    buildTimeoutSeconds: seconds('BUILD-TIMEOUT', timeout),
  }
}

function seconds(name: string, word: string): number {
  const value = Number(word)
  if (!/^\d+$/.test(word) || !Number.isSafeInteger(value)) throw invalid(name, 'whole seconds, 0 or more', JSON.stringify(word))
  return value
}

function invalid(subject: string, expected: string, seen: string): ConfigurationError {
  return new ConfigurationError({
    code: 'invalid-hook-argument',
    step: 'reading the build hook\'s arguments',
    problem: 'not understood',
    subject,
    expected,
    seen,
    cure: 'This command is meant to be started by guix-daemon',
  })
}
