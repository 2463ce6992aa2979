import { text } from 'node:stream/consumers'
import type { Connection } from '../../src/plugin-api/index.js'

export { failureOf } from '../../src/plugin-api/testing/transport/bench.js'

/** What comes back when the machine is to say it. */
export async function say(connection: Connection, words: string): Promise<string> {
  const process = await connection.exec(['echo', words], { signal: new AbortController().signal })
  process.stderr.resume()
  return (await text(process.stdout)).trim()
}
