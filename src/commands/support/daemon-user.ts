import { statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { ConfigurationError } from '../../errors/offload-error.js'

/**
 * guix-daemon, and with it the hook, may run as a user of its own, who then owns the store. Root looking at the machines would see what that user does not: keys that
 * are not his to read, files that he must not trust. So root becomes that user first.
 * @returns the user id, if it was changed
 */
export function becomeDaemonUser(storeDirectory: string): number | undefined {
  if (process.geteuid?.() !== 0) return undefined
  const owner = ownerOf(storeDirectory)
  if (owner === undefined || owner.uid === 0) return undefined
  try {
    process.setgroups?.([owner.gid])
    process.setgid?.(owner.gid)
    process.setuid?.(owner.uid)
  } catch (cause) {
    throw new ConfigurationError({
      code: 'user-not-changed',
      step: 'becoming the user of guix-daemon',
      problem: `cannot become user id ${owner.uid}, who owns ${storeDirectory}`,
      cure: `Run this as that user: sudo -u '#${owner.uid}' guix-offload …`,
      cause,
    })
  }
  process.env.HOME = homeOf()
  return owner.uid
}

/**
 * For a command of root's that writes what only root may write, and before that looks with the eyes of guix-daemon's user: what it leaves in the state folder must belong
 * to that user, or the hook could not use it any more.
 * @returns what makes it root again
 */
export function actAsDaemonUser(storeDirectory: string): () => void {
  const owner = process.geteuid?.() === 0 ? ownerOf(storeDirectory) : undefined
  if (owner === undefined || owner.uid === 0) return () => undefined
  process.setegid?.(owner.gid)
  process.seteuid?.(owner.uid)
  return () => {
    process.seteuid?.(0)
    process.setegid?.(0)
  }
}

function ownerOf(directory: string): { readonly uid: number; readonly gid: number } | undefined {
  try {
    return statSync(directory)
  } catch {
    return undefined
  }
}

function homeOf(): string {
  try {
    return userInfo().homedir
  } catch {
    return '/nonexistent'
  }
}
