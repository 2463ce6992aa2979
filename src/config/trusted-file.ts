import { constants, lstat, open, readlink } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { ConfigurationError } from '../errors/offload-error.js'

/**
 * Some files are code that we run as root or as the daemon's user: configuration, plugins, machine files. They are only read if nobody else can have
 * written them: the file, every folder above it, and the same for every link on the way, belong to root or to us and are not writable by others.
 *
 * A folder with the sticky bit may be writable by others (`/tmp`, `/gnu/store`): they cannot exchange an entry that is not theirs, and that no entry
 * on the way is theirs is checked.
 */
export interface TrustRequest {
  /** For messages: `reading the configuration`. */
  readonly step: string
  /** User ids trusted besides root; by default the one we run as. */
  readonly owners?: readonly number[] | undefined
}

const maxLinks = 40
const maxBytes = 4 * 1024 * 1024

/**
 * Checks a file or folder that something else will read (a module to be imported, say).
 * @returns its path without links
 * @throws ConfigurationError `untrusted-file`; Error of node:fs if it does not exist
 */
export async function checkTrusted(path: string, request: TrustRequest): Promise<string> {
  const owners = trustedOwners(request)
  let rest = parts(isAbsolute(path) ? path : `${process.cwd()}/${path}`)
  let current = '/'
  check(current, await lstat(current), owners, request.step)
  for (let links = 0; ;) {
    const name = rest.shift()
    if (name === undefined) return current
    if (name === '..') {
      current = dirname(current)
      continue
    }
    const next = join(current, name)
    const stats = await lstat(next)
    check(next, stats, owners, request.step)
    if (!stats.isSymbolicLink()) {
      current = next
      continue
    }
    links += 1
    if (links > maxLinks) throw new ConfigurationError({ code: 'untrusted-file', step: request.step, problem: 'too many links', subject: path })
    const target = await readlink(next)
    rest = [...parts(target), ...rest]
    if (isAbsolute(target)) current = '/'
  }
}

/**
 * Reads a file after checking it; undefined if there is none.
 * @throws ConfigurationError `untrusted-file`, `unreadable-file`
 */
export async function readTrustedFile(path: string, request: TrustRequest): Promise<{ readonly path: string; readonly content: Buffer } | undefined> {
  try {
    const real = await checkTrusted(path, request)
    // Not a link any more, unless somebody we trust has just made it one.
    const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) throw unreadable(path, request.step, 'it is no regular file')
      if (stats.size > maxBytes) throw unreadable(path, request.step, `it is larger than ${maxBytes} bytes`)
      return { path: real, content: await handle.readFile() }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'EACCES') throw forbidden(path, request.step, error)
    throw unreadable(path, request.step, code, error)
  }
}

/**
 * The text of a file after checking it.
 * @throws ConfigurationError `untrusted-file`, `unreadable-file`; an Error with code `ENOENT` if there is none
 */
export async function readTrustedText(path: string, request: TrustRequest): Promise<string> {
  const file = await readTrustedFile(path, request)
  if (file !== undefined) return file.content.toString('utf8')
  throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
}

export function trustedOwners(request: TrustRequest): ReadonlySet<number> {
  return new Set([0, ...(request.owners ?? [process.geteuid?.() ?? 0])])
}

/**
 * What {@link checkTrusted} asks of each file and folder on the way.
 * @throws ConfigurationError `untrusted-file`
 */
export function check(path: string, stats: Stats, owners: ReadonlySet<number>, step: string): void {
  const me = process.geteuid?.() ?? 0
  const refuse = (problem: string, expected: string, seen: string, cure: string): ConfigurationError =>
    new ConfigurationError({ code: 'untrusted-file', step, problem, expected, seen, subject: path, cure })
  if (!owners.has(stats.uid)) {
    const others = [...owners].filter((uid) => uid !== 0)
    const cure = me === 0 ? `chown root ${path}, or run this as that user: sudo -u '#${stats.uid}' …` : `As root: chown root ${path}`
    throw refuse('it belongs to somebody else, who could put anything there', ['root', ...others.map((uid) => `user id ${uid}`)].join(' or '), `user id ${stats.uid}`, cure)
  }
  // The mode of a link means nothing; a sticky folder protects what is in it.
  if (stats.isSymbolicLink() || (stats.isDirectory() && (stats.mode & 0o1000) !== 0)) return
  const open = stats.mode & 0o022
  if (open === 0) return
  const who = [...(open & 0o020 ? ['its group'] : []), ...(open & 0o002 ? ['everybody'] : [])]
  const flags = `${open & 0o020 ? 'g' : ''}${open & 0o002 ? 'o' : ''}-w`
  throw refuse(`${who.join(' and ')} may write to it`, 'writable by its owner alone', `mode ${(stats.mode & 0o7777).toString(8).padStart(4, '0')}`, `chmod ${flags} ${path}`)
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

function forbidden(path: string, step: string, cause: unknown): ConfigurationError {
  return new ConfigurationError({
    code: 'unreadable-file', step, problem: `no permission for user id ${process.geteuid?.() ?? '?'}`, subject: path, cause,
    cure: `Let that user read it and enter its folders: chmod a+r ${path}`,
  })
}

function unreadable(path: string, step: string, problem: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError({ code: 'unreadable-file', step, problem, subject: path, cause, cure: `Check ${path} and ${dirname(path)}` })
}
