/** What a program may ask of the world: environment, host and user names, files. */
import type { SchemeWorld } from '../../plugin-api/index.js'
import { Primitive, type Machine, type Result } from '../execution.js'
import { Abort, SchemeThrow, WrongType, beyond, failed } from '../throw.js'
import { RecordInstance, RecordType, UNSPECIFIED, list, type Place, type Value } from '../value.js'
import { string, type Table } from './check.js'
import { InputPort } from './ports.js'

const ERRNO: Readonly<Record<string, readonly [bigint, string]>> = {
  ENOENT: [2n, 'No such file or directory'], EACCES: [13n, 'Permission denied'], EPERM: [1n, 'Operation not permitted'], EISDIR: [21n, 'Is a directory'], ENOTDIR: [20n, 'Not a directory'],
  ELOOP: [40n, 'Too many levels of symbolic links'], EIO: [5n, 'Input/output error'], ENAMETOOLONG: [36n, 'File name too long'], EINVAL: [22n, 'Invalid argument'],
}

/** A system error as Guile has it; anything else goes through unchanged. */
function systemError(error: unknown, path: string): unknown {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (!/^E[A-Z0-9]+$/.test(code) || error instanceof SchemeThrow || error instanceof Abort) return error
  const [number, text] = ERRNO[code] ?? [0n, code]
  return failed('system-error', 'open-file', '~A: ~S', [text, path], list([number]))
}

/** Waits if it must. */
function awaiting(machine: Machine, work: () => string | boolean | Promise<string | boolean>, path: string, place: Place, then: (found: string | boolean) => Value): Result {
  const wrapped = (error: unknown): never => {
    const found = systemError(error, path)
    if (found instanceof SchemeThrow) found.place ??= place
    throw found
  }
  try {
    const found = work()
    return found instanceof Promise ? machine.suspend(found.then(then, wrapped)) : then(found)
  } catch (error) {
    return wrapped(error)
  }
}

export function openFile(world: SchemeWorld, use: 'data' | 'program'): (machine: Machine, file: Value) => Result {
  return (machine, file) => {
    const path = string(file, 1)
    return awaiting(machine, () => world.readFile(path, use), path, machine.place, (text) => new InputPort(String(text), path))
  }
}

/** Text of a file that will be evaluated. */
export function programReader(world: SchemeWorld): Primitive {
  return new Primitive('primitive-load', 1, 1, (machine, file) => {
    const path = string(file, 1)
    return awaiting(machine, () => world.readFile(path, 'program'), path, machine.place, (text) => text)
  })
}

const PASSWD = new RecordType('passwd', ['name', 'uid', 'gid', 'dir'])

function dirname(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  if (trimmed === '') return path.startsWith('/') ? '/' : '.'
  const at = trimmed.lastIndexOf('/')
  return at < 0 ? '.' : trimmed.slice(0, at).replace(/\/+$/, '') || '/'
}

export function environmentProcedures(world: SchemeWorld): Table {
  const { account } = world
  const changes = new Map<string, string | undefined>()
  const own = (user: Value | undefined): Value => {
    if (user !== undefined && user !== account.name && user !== BigInt(account.uid)) throw beyond('the account of another user')
    return new RecordInstance(PASSWD, [account.name, BigInt(account.uid), BigInt(account.gid), account.home])
  }
  const field = (at: number) => (_machine: Machine, value: Value): Value => {
    if (!(value instanceof RecordInstance) || value.recordType !== PASSWD) throw new WrongType(1, value)
    return value.values[at] as Value
  }
  const lookup = (name: string): string | undefined => (changes.has(name) ? changes.get(name) : world.environment[name])
  return {
    getenv: [1, 1, (_machine, name) => lookup(string(name, 1)) ?? false],
    setenv: [2, 2, (_machine, name, value) => {
      changes.set(string(name, 1), value === false ? undefined : string(value, 2))
      return UNSPECIFIED
    }],
    unsetenv: [1, 1, (_machine, name) => {
      changes.set(string(name, 1), undefined)
      return UNSPECIFIED
    }],
    gethostname: [0, 0, () => world.hostName],
    getuid: [0, 0, () => BigInt(account.uid)],
    geteuid: [0, 0, () => BigInt(account.uid)],
    getgid: [0, 0, () => BigInt(account.gid)],
    getegid: [0, 0, () => BigInt(account.gid)],
    getpw: [1, 1, (_machine, user) => own(user)],
    getpwnam: [1, 1, (_machine, user) => own(user)],
    getpwuid: [1, 1, (_machine, user) => own(user)],
    'passwd:name': [1, 1, field(0)],
    'passwd:uid': [1, 1, field(1)],
    'passwd:gid': [1, 1, field(2)],
    'passwd:dir': [1, 1, field(3)],
    getlogin: [0, 0, () => account.name],
    'file-exists?': [1, 2, (machine, file) => {
      const path = string(file, 1)
      return awaiting(machine, () => world.fileExists(path), path, machine.place, (found) => found)
    }],
    dirname: [1, 1, (_machine, file) => dirname(string(file, 1))],
    basename: [1, 2, (_machine, file, suffix) => {
      const name = string(file, 1).replace(/\/+$/, '').split('/').pop() ?? ''
      const end = suffix === undefined ? '' : string(suffix, 2)
      return end !== '' && name.endsWith(end) && name !== end ? name.slice(0, -end.length) : name
    }],
    'absolute-file-name?': [1, 1, (_machine, file) => string(file, 1).startsWith('/')],
    'in-vicinity': [2, 2, (_machine, folder, file) => {
      const [where, name] = [string(folder, 1), string(file, 2)]
      return where === '' || where.endsWith('/') ? where + name : `${where}/${name}`
    }],
    setlocale: [1, 2, () => 'C.UTF-8'],
  }
}
