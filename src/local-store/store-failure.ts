import { ConfigurationError, ProtocolError } from '../errors/offload-error.js'
import type { OffloadError } from '../errors/offload-error.js'
import { printable } from '../wire/printable.js'

const cures: Readonly<Record<string, string>> = {
  ENOSPC: 'Free space, for example with `guix gc`',
  EDQUOT: 'Raise the quota or free space, for example with `guix gc`',
  EROFS: 'Make the store\'s file system writable',
  EACCES: 'Run as the user that owns the store',
  EPERM: 'Run as the user that owns the store',
  EMFILE: 'Raise the limit of open files',
  ENFILE: 'Raise the limit of open files',
}

/**
 * A failed file operation in the local store as an error of ours. The store's shortages are this machine's, so another build machine would
 * not help; names and targets that the system refuses are the archive's.
 */
export function storeFailure(step: string, path: Uint8Array | string, cause: unknown): OffloadError {
  const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown error'
  const report = { step, subject: printable(path), cause }
  switch (errno) {
    case 'ENAMETOOLONG':
      return new ProtocolError({ ...report, code: 'path-too-long', problem: 'the path is longer than the system allows' })
    case 'EEXIST':
      return new ProtocolError({
        ...report,
        code: 'name-clash',
        problem: 'something of that name is there already',
        cure: 'The store needs a file system that tells upper from lower case',
      })
    default: {
      const cure = cures[errno]
      const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'local-store-full' : 'local-store-failure'
      const problem = cause instanceof Error ? cause.message : String(cause)
      return new ConfigurationError({ ...report, code, problem, ...(cure === undefined ? {} : { cure }) })
    }
  }
}
