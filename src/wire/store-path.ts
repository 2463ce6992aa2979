/**
 * Names of store items: `STORE/HASH-NAME`, where HASH is 32 characters of nix-base32 (digits and letters without e, o, t, u) and NAME is made
 * of letters, digits and `+-._?=` and does not begin with a dot. A {@link StorePath} has been checked: it names something directly in the
 * store, contains no `..`, and is plain ASCII.
 */
import { ProtocolError } from '../errors/offload-error.js'
import { printable } from './printable.js'

declare const brand: unique symbol
export type StorePath = string & { readonly [brand]: 'StorePath' }

export const DEFAULT_STORE_DIRECTORY = '/gnu/store'

const HASH_LENGTH = 32
/** The longest name guix-daemon registers: the name of its lock file, with hash, dash and `.lock`, has 255 bytes. */
const MAX_NAME_LENGTH = 217
const HASH = /^[0-9abcdfghijklmnpqrsvwxyz]{32}$/
const NAME = /^[A-Za-z0-9+\-_?=][A-Za-z0-9+\-._?=]*$/

function problemWith(text: string, storeDirectory: string): string | undefined {
  if (!text.startsWith(`${storeDirectory}/`)) return `it is not in ${storeDirectory}`
  const base = text.slice(storeDirectory.length + 1)
  if (base.includes('/')) return 'it names something inside a store item'
  if (!HASH.test(base.slice(0, HASH_LENGTH))) return `its name does not begin with ${HASH_LENGTH} characters of nix-base32`
  if (base[HASH_LENGTH] !== '-') return 'there is no dash after the hash'
  const name = base.slice(HASH_LENGTH + 1)
  if (name === '') return 'there is no name after the hash'
  if (name.startsWith('.')) return 'its name begins with a dot'
  if (!NAME.test(name)) return 'its name has characters other than letters, digits and + - . _ ? ='
  if (name.length > MAX_NAME_LENGTH) return `its name is longer than ${MAX_NAME_LENGTH} characters`
  return undefined
}

export function isStorePath(text: string, storeDirectory: string = DEFAULT_STORE_DIRECTORY): text is StorePath {
  return problemWith(text, storeDirectory) === undefined
}

/** @throws ProtocolError that says what is wrong with it */
export function parseStorePath(text: string, storeDirectory: string = DEFAULT_STORE_DIRECTORY, step = 'reading a store path'): StorePath {
  const problem = problemWith(text, storeDirectory)
  if (problem !== undefined) {
    throw new ProtocolError({ code: 'malformed-store-path', step, problem: `not the name of a store item: ${problem}`, seen: printable(text) })
  }
  return text as StorePath
}

/** What follows the hash: `hello-2.12` of `/gnu/store/…-hello-2.12`. */
export function storePathName(path: StorePath): string {
  return path.slice(path.lastIndexOf('/') + HASH_LENGTH + 2)
}

export function isDerivationPath(path: StorePath): boolean {
  return path.endsWith('.drv')
}
