import { open } from 'node:fs/promises'
import { ConfigurationError } from '../errors/offload-error.js'

/** Reading of the small files in Guix's configuration folder: keys and access-control list. */
export interface KeyFile {
  readonly name: string
  readonly content: Buffer
  /** Permission bits. */
  readonly mode: number
}

/** Why a file is not there for us. */
export type Unavailable = 'missing' | 'forbidden'

const maxBytes = 4 * 1024 * 1024

/**
 * Links are followed: on Guix System the acl can be one into the store. What is checked and what is read are the same open file.
 * @throws ConfigurationError `key-file-unreadable` for anything but a file that is missing or forbidden
 */
export async function readKeyFile(name: string, step: string): Promise<KeyFile | Unavailable> {
  try {
    const handle = await open(name, 'r')
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) throw unreadable(name, step, 'it is no regular file')
      if (stats.size > maxBytes) throw unreadable(name, step, `it is larger than ${maxBytes} bytes`)
      return { name, content: await handle.readFile(), mode: stats.mode & 0o7777 }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    switch (errnoOf(error)) {
      case 'ENOENT': case 'ENOTDIR': return 'missing'
      case 'EACCES': case 'EPERM': return 'forbidden'
      default: throw unreadable(name, step, errnoOf(error) ?? 'it cannot be read', error)
    }
  }
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function unreadable(name: string, step: string, problem: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError({ code: 'key-file-unreadable', step, problem, subject: name, cause })
}
