import { statSync, type BigIntStats } from 'node:fs'
import { listIfThere, processIds, readIfThere } from '../state/process-files.js'

export interface SlotInUse {
  readonly index: number
  readonly file: string
}

/** `5: OFDLCK ADVISORY  WRITE -1 fe:00:2165023 0 EOF`: kind, mode, holder, device and inode. Of a descriptor: `lock:` before that. */
const lockLine = /^(?:lock:\s+)?\d+: (?:POSIX|OFDLCK)\s+\S+\s+WRITE\s+-?\d+\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s/

export interface HeldLock {
  readonly major: number
  readonly minor: number
  readonly inode: string
}

/**
 * Which of the slot files are locked, read from the kernel's list of locks. Trying the locks instead would take them for a moment, and
 * another hook at that moment would find the machine full.
 */
export function slotsInUse(files: readonly string[], locks: string = readIfThere('/proc/locks') ?? ''): SlotInUse[] {
  const held = parseLocks(locks)
  return files.flatMap((file, index) => {
    const stats = statSync(file, { bigint: true, throwIfNoEntry: false })
    return stats !== undefined && held.some((lock) => concerns(lock, stats)) ? [{ index, file }] : []
  })
}

/** Write locks by the processes that hold them, as far as we may look. */
export type HeldLocks = readonly { readonly pid: number; readonly locks: readonly HeldLock[] }[]

/** The kernel's list names no holder of an open-file-description lock: every process is asked what it has locked. */
export function heldLocks(): HeldLocks {
  return processIds().flatMap((pid) => {
    const locks = listIfThere(`/proc/${pid}/fdinfo`).flatMap((fd) => parseLocks(readIfThere(`/proc/${pid}/fdinfo/${fd}`) ?? ''))
    return locks.length === 0 ? [] : [{ pid: Number(pid), locks }]
  })
}

/** The processes that hold locks on the files. */
export function lockHolders(files: readonly string[], held = heldLocks()): ReadonlyMap<string, readonly number[]> {
  return new Map(files.map((file) => {
    const stats = statSync(file, { bigint: true, throwIfNoEntry: false })
    const holders = stats === undefined ? [] : held.filter(({ locks }) => locks.some((lock) => concerns(lock, stats))).map(({ pid }) => pid)
    return [file, holders]
  }))
}

function parseLocks(text: string): HeldLock[] {
  return text.split('\n').flatMap((line) => {
    const [, major = '', minor = '', inode = ''] = lockLine.exec(line) ?? []
    return inode === '' ? [] : [{ major: parseInt(major, 16), minor: parseInt(minor, 16), inode }]
  })
}

function concerns(lock: HeldLock, stats: BigIntStats): boolean {
  if (lock.inode !== stats.ino.toString()) return false
  const { major, minor } = deviceNumbers(stats.dev)
  // Subvolumes (btrfs) and layered file systems show one anonymous device to stat and another one here; both have major number 0.
  return lock.major === major && (major === 0 || lock.minor === minor)
}

/** Linux' encoding of device numbers in 64 bits. */
function deviceNumbers(device: bigint): { major: number; minor: number } {
  const bits = (from: bigint, mask: bigint) => (device >> from) & mask
  return { major: Number(bits(8n, 0xfffn) | (bits(32n, 0xffff_f000n))), minor: Number(bits(0n, 0xffn) | (bits(12n, 0xffff_ff00n))) }
}
