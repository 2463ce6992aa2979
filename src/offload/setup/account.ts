import type { HostFiles } from './host-files.js'

/** A user as file permissions see one. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly groups: ReadonlySet<number>
  readonly home: string
}

/** From passwd(5) and group(5), by name or number; undefined for a user who is only known elsewhere. */
export function readAccount(files: HostFiles, user: string): Account | undefined {
  const entry = records(files, '/etc/passwd').find(([name, , uid]) => name === user || uid === user)
  if (entry === undefined) return undefined
  const [name = user, , uid, gid, , home] = entry
  const extra = records(files, '/etc/group').filter(([, , , members]) => (members ?? '').split(',').includes(name))
  return { name, uid: Number(uid), groups: new Set([Number(gid), ...extra.map(([, , group]) => Number(group))]), home: home ?? '/' }
}

function records(files: HostFiles, path: string): string[][] {
  return (files.read(path) ?? '').split('\n').map((line) => line.split(':'))
}

/**
 * What keeps an account from reading a file: the file itself, or the first folder above it that it may not search. Undefined: nothing does. Goes by owner, group and
 * mode; access lists are not looked at.
 */
export function obstacle(files: HostFiles, account: Account, path: string): string | undefined {
  if (account.uid === 0) return undefined
  const real = files.realPath(path) ?? path
  const parts = real.split('/').slice(1)
  for (const [index] of parts.entries()) {
    const at = `/${parts.slice(0, index + 1).join('/')}`
    const wanted = index < parts.length - 1 ? 0o1 : 0o4
    const stat = files.stat(at)
    if (stat === undefined) return undefined
    const bits = stat.uid === account.uid ? stat.mode >> 6 : account.groups.has(stat.gid) ? stat.mode >> 3 : stat.mode
    if ((bits & wanted) === 0) return at
  }
  return undefined
}
