import { randomBytes } from 'node:crypto'

/** Marks our temporaries for people who look into the store. */
export const TEMPORARY_PREFIX = 'guix-offload-'

/**
 * A fresh name directly in the store. guix-daemon's collector removes whatever in the store is neither valid nor a root, at any moment: tell a
 * daemon connection that stays open (AddTempRoot, which takes any name directly in the store) before creating it. What a killed process
 * leaves behind goes with the next collection.
 *
 * Never a function of the item: a hook killed half-way would be in the way of every later attempt.
 */
export function temporaryStorePath(storeDirectory: string): string {
  return `${storeDirectory}/${TEMPORARY_PREFIX}${randomBytes(16).toString('hex')}`
}
