/**
 * guix-daemon as /proc shows it (proc(5)): its options and its environment decide whether and which hook it asks, and they may differ from what a
 * unit file says: the `guix-daemon` that `guix pull` installs is a script that sets `GUIX` itself.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { processIds, readIfThere, statIfThere } from '../../state/process-files.js'

export interface DaemonProcess {
  readonly pid: number
  readonly uid: number
  /** The command line, the program's name first. */
  readonly words: readonly string[]
  /** Undefined: not ours to read. */
  readonly variables?: Readonly<Record<string, string>> | undefined
}

/** Also as wrapped by Guix's own packages. */
const programName = /^\.?guix-daemon(-real)?$/

interface Seen extends DaemonProcess {
  readonly parent: number
}

/** Those that listen; the processes that serve one client each are their children and are left out. */
export function findDaemons(folder = '/proc'): DaemonProcess[] {
  const seen = processIds(folder).flatMap((name) => look(folder, name) ?? [])
  const pids = new Set(seen.map(({ pid }) => pid))
  return seen.filter(({ parent }) => !pids.has(parent)).sort((a, b) => a.pid - b.pid).map(({ pid, uid, words, variables }) => ({ pid, uid, words, variables }))
}

function look(folder: string, name: string): Seen | undefined {
  const file = (path: string) => join(folder, name, path)
  const words = strings(readIfThere(file('cmdline')) ?? '')
  const program = words[0]?.slice(words[0].lastIndexOf('/') + 1) ?? ''
  const status = programName.test(program) ? readIfThere(file('status')) : undefined
  const parent = number(/^PPid:\s*(\d+)/m, status)
  const uid = number(/^Uid:\s*\d+\s+(\d+)/m, status)
  // Another root folder: that of a container, whose daemon is not this host's.
  if (parent === undefined || uid === undefined || (folder === '/proc' && !sameRoot(file('root')))) return undefined
  const environment = readIfThere(file('environ'))
  const variables = environment === undefined ? undefined : Object.fromEntries(strings(environment).map((entry) => split(entry)))
  return { pid: Number(name), parent, uid, words, variables }
}

function sameRoot(path: string): boolean {
  const theirs = statIfThere(path)
  const ours = statSync('/')
  return theirs === undefined || (theirs.dev === ours.dev && theirs.ino === ours.ino)
}

function split(entry: string): [string, string] {
  const at = entry.indexOf('=')
  return at === -1 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
}

function strings(text: string): string[] {
  return text.split('\0').filter((part, index, all) => index < all.length - 1 || part !== '')
}

function number(pattern: RegExp, text: string | undefined): number | undefined {
  const digits = text === undefined ? undefined : pattern.exec(text)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
