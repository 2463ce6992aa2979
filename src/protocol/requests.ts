import { encodeBoolean, encodeInteger, encodeString, encodeStringList } from '../wire/encode.js'
import { clientMagic, clientVersion, operations } from './constants.js'

/** The requests of the worker protocol. Each is one buffer, to be sent in one write. */

/**
 * The whole of our side of the greeting: magic number, version, no processor affinity, no reserved space. The daemon reads all of it before
 * it starts to work, so it may be sent in one go, a round trip sooner than by turns.
 */
export function greeting(): Buffer {
  return Buffer.concat([encodeInteger(clientMagic), encodeInteger(clientVersion), encodeInteger(0), encodeInteger(0)])
}

export function isValidPath(path: string): Buffer {
  return Buffer.concat([encodeInteger(operations.isValidPath), encodeString(path)])
}

export function addTextToStore(name: string, text: string | Uint8Array, references: readonly string[]): Buffer {
  return Buffer.concat([encodeInteger(operations.addTextToStore), encodeString(name), encodeString(text), encodeStringList(references)])
}

export function buildPaths(derivations: readonly string[]): Buffer {
  const normalMode = encodeInteger(0)
  return Buffer.concat([encodeInteger(operations.buildPaths), encodeStringList(derivations), normalMode])
}

export function addTempRoot(path: string): Buffer {
  return Buffer.concat([encodeInteger(operations.addTempRoot), encodeString(path)])
}

export function exportPath(path: string, sign: boolean): Buffer {
  return Buffer.concat([encodeInteger(operations.exportPath), encodeString(path), encodeBoolean(sign)])
}

/** For the life of the connection. */
export interface DaemonOptions {
  readonly keepFailed: boolean
  readonly keepGoing: boolean
  /** Build when a substitute that was announced cannot be had. */
  readonly fallback: boolean
  /** Messages of the daemon up to this level are sent: 0 errors, 1 information, … */
  readonly verbosity: number
  readonly useBuildHook: boolean
  /** The build log is sent if `verbosity` is at least this. */
  readonly buildVerbosity: number
  readonly printBuildTrace: boolean
  readonly useSubstitutes: boolean
  /** Settings by name: `build-timeout`, `build-max-silent-time`, `build-cores`, … */
  readonly settings: Readonly<Record<string, string>>
}

export function setOptions(options: DaemonOptions): Buffer {
  const prettyLog = encodeInteger(0)
  const settings = Object.entries(options.settings)
  return Buffer.concat([
    encodeInteger(operations.setOptions),
    encodeBoolean(options.keepFailed),
    encodeBoolean(options.keepGoing),
    encodeBoolean(options.fallback),
    encodeInteger(options.verbosity),
    encodeBoolean(options.useBuildHook),
    encodeInteger(options.buildVerbosity),
    prettyLog,
    encodeBoolean(options.printBuildTrace),
    encodeBoolean(options.useSubstitutes),
    encodeInteger(settings.length),
    ...settings.flatMap(([name, value]) => [encodeString(name), encodeString(value)]),
  ])
}

export function queryPathInfo(path: string): Buffer {
  return Buffer.concat([encodeInteger(operations.queryPathInfo), encodeString(path)])
}

export function importPaths(): Buffer {
  return encodeInteger(operations.importPaths)
}

export function queryValidPaths(paths: readonly string[]): Buffer {
  return Buffer.concat([encodeInteger(operations.queryValidPaths), encodeStringList(paths)])
}

export function querySubstitutablePaths(paths: readonly string[]): Buffer {
  return Buffer.concat([encodeInteger(operations.querySubstitutablePaths), encodeStringList(paths)])
}
