import { execFile } from 'node:child_process'

/** Runs a short command; resolves with what it complained of, or undefined if all went well. */
export function runCommand([program = '', ...words]: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, words, { timeout: 60_000 }, (error, _, stderr) => resolve(error === null ? undefined : stderr.trim() || error.message))
  })
}
