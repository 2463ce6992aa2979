import { closeSync, fstatSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { recordLock } from './record-lock.js'

/**
 * Adds a line to a file that many processes add to. One write at the end of the file each, which the kernel does not mix; a file beyond `maximumBytes` is first
 * moved to `FILE.1`, by one of them. What is kept so may be lost without harm: that it cannot be written is never an error.
 */
export function appendLine(file: string, text: string, maximumBytes: number): void {
  try {
    mkdirSync(dirname(file), { recursive: true })
    let fd = openSync(file, 'a', 0o644)
    try {
      if (fstatSync(fd).size > maximumBytes && rotated(file, fd)) {
        closeSync(fd)
        fd = openSync(file, 'a', 0o644)
      }
      writeSync(fd, Buffer.from(`${text}\n`, 'utf8'))
    } finally {
      closeSync(fd)
    }
  } catch {
    // A full or read-only disk must not fail a build that has succeeded.
  }
}

/** Only who has the lock moves the file, and only if it is still the one in that place: a second move would push the first one's file out. */
function rotated(file: string, fd: number): boolean {
  if (!recordLock().tryLock(fd)) return false
  const there = statSync(file, { throwIfNoEntry: false })
  if (there?.ino !== fstatSync(fd).ino) return there !== undefined
  renameSync(file, `${file}.1`)
  return true
}
