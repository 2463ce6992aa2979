/** Adds a line to a file of pinned host keys, as a whole or not at all. Whoever could write there could have builds done on his machine. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { checkTrusted, readTrustedFile } from '../config/trusted-file.js'
import { ConfigurationError } from '../errors/offload-error.js'
import { replaceFile } from '../state/replace-file.js'

const step = 'pinning a host key'
const heading = '# Host keys of build machines that announce themselves, as in known_hosts; see guix-offload machines trust.\n'

/**
 * @returns false: it is there already
 * @throws ConfigurationError `untrusted-file`, `unreadable-file`, `pins-not-written`
 */
export async function addPin({ file, line }: { readonly file: string; readonly line: string }): Promise<boolean> {
  if (/[\n\r\0]/.test(line)) throw new ConfigurationError({ code: 'pin-invalid', step, problem: 'that is more than one line' })
  const before = (await readTrustedFile(file, { step }))?.content.toString('utf8')
  if (before?.split('\n').some((each) => each.trim() === line.trim()) === true) return false
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o755 })
    await checkTrusted(dirname(file), { step })
    const text = before === undefined ? heading : before === '' || before.endsWith('\n') ? before : `${before}\n`
    await replaceFile(file, `${text}${line}\n`)
    return true
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new ConfigurationError({
      code: 'pins-not-written', step, problem: `it cannot be written (${code})`, subject: file, cause: error,
      cure: `Run this as root, or append this line to it: ${line}`,
    })
  }
}
