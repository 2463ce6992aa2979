import { createRequire } from 'node:module'
import { ConfigurationError } from '../errors/offload-error.js'

/**
 * Locks that conflict with the POSIX record locks (`fcntl` F_SETLK) of other hooks: open-file-description locks (F_OFD_SETLK) over the whole
 * file. They belong to the open file, not to the process: closing another descriptor of the same file does not drop them, two
 * descriptors of one process exclude each other, and the kernel drops them when the process dies.
 */
export interface RecordLock {
  /** Takes the exclusive lock if nobody has it. `fd` must be open for writing; closing it releases. */
  tryLock(fd: number): boolean
  /** The same for one byte of the file, which need not be there. */
  tryLockByte(fd: number, offset: number): boolean
}

interface NativeLocks {
  tryLock(fd: number, offset: number, length: number, exclusive: boolean): void
}

let loaded: RecordLock | undefined

/**
 * Loaded on first use. The package's prebuilt addon is asked for by its file: finding it through the package's own loader costs ten
 * times as much, at every start of the hook.
 * @throws ConfigurationError on platforms without the addon
 */
export function recordLock(): RecordLock {
  loaded ??= load()
  return loaded
}

function load(): RecordLock {
  const require = createRequire(import.meta.url)
  try {
    const native = require(`fs-native-extensions/prebuilds/linux-${process.arch}/fs-native-extensions.node`) as NativeLocks
    return {
      tryLock: (fd) => unlessTaken(() => native.tryLock(fd, 0, 0, true)),
      tryLockByte: (fd, offset) => unlessTaken(() => native.tryLock(fd, offset, 1, true)),
    }
  } catch (cause) {
    throw new ConfigurationError({
      code: 'record-locks-unavailable',
      step: 'loading the lock library',
      problem: `fs-native-extensions does not work on linux-${process.arch}`,
      cure: 'Without it build slots cannot be shared with other hooks; install the package with its addon for this platform',
      cause,
    })
  }
}

function unlessTaken(lock: () => void): boolean {
  try {
    lock()
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EAGAIN' || code === 'EACCES') return false
    throw error
  }
}
