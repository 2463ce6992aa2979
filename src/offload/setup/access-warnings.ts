import { obstacle, readAccount, type Account } from './account.js'
import type { HostFiles } from './host-files.js'
import type { WrapperPrograms } from './wrapper.js'

/** Files that the hook reads besides its programs. */
export interface MachineFiles {
  /** Machine and configuration files. */
  readonly configuration: readonly string[]
  /** `machine` names one of those that use the key. */
  readonly privateKeys: readonly { readonly machine: string; readonly path: string | undefined }[]
  /** Why the machines could not be listed. */
  readonly problem?: string | undefined
}

const usualKeys = ['id_ed25519', 'id_ecdsa', 'id_rsa']

/** What guix-daemon's user cannot read although the hook, which runs as that user, has to. */
export function accessWarnings(files: HostFiles, user: string, programs: WrapperPrograms, machines: MachineFiles): string[] {
  if (user === 'root') return []
  const account = readAccount(files, user)
  if (account === undefined) return [`guix-daemon runs as user ${user}, who is not in /etc/passwd: nobody has checked what that user can read`]
  const needed = [programs.node, programs.program, ...machines.configuration]
  const keys = new Set(machines.privateKeys.flatMap(({ path }) => (path === undefined ? [] : [path])))
  return [
    ...(machines.problem === undefined ? [] : [`the machines could not be listed, so their keys were not looked at: ${machines.problem}`]),
    ...needed.flatMap((path) => unreadable(files, account, path, 'Install it where every user can read')),
    ...[...keys].flatMap((path) => unreadable(files, account, path, `Give ${user} a key of its own, readable by nobody else`)),
    ...usualKeyWarning(files, account, machines),
  ]
}

function unreadable(files: HostFiles, account: Account, path: string, cure: string): string[] {
  const at = obstacle(files, account, path)
  if (at === undefined) return []
  const why = at === path ? '' : ` (${at} is closed to that user)`
  return [`guix-daemon runs as user ${account.name}, who cannot read ${path}${why}. ${cure}`]
}

/** Machines without a key of their own use the daemon's user's, who, with home `/var/empty`, has none. */
function usualKeyWarning(files: HostFiles, account: Account, machines: MachineFiles): string[] {
  const without = machines.privateKeys.find(({ path }) => path === undefined)
  if (without === undefined) return []
  const keys = usualKeys.map((name) => `${account.home}/.ssh/${name}`)
  if (keys.some((path) => files.stat(path) !== undefined && obstacle(files, account, path) === undefined)) return []
  return [`${without.machine} has no private key in the machine file, and guix-daemon's user ${account.name} has none in ${account.home}/.ssh`]
}
