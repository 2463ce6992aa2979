import { text } from 'node:stream/consumers'
import type { Connection, OffloadFailure } from '../../src/plugin-api/index.js'

export async function failureOf(promise: Promise<unknown>): Promise<OffloadFailure> {
  return promise.then(() => { throw new Error('it succeeded') }, (error: unknown) => error as OffloadFailure)
}

/** What comes back when the machine is to say it. */
export async function say(connection: Connection, words: string): Promise<string> {
  const process = await connection.exec(['echo', words], { signal: new AbortController().signal })
  process.stderr.resume()
  return (await text(process.stdout)).trim()
}
