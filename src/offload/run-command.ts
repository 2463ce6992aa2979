import type { Readable } from 'node:stream'
import type { Connection, RemoteExit } from '../plugin-api/index.js'

/** What is kept of each output of a short command. */
const maximumOutput = 64 * 1024

export interface CommandResult {
  readonly stdout: string
  readonly stderr: string
  readonly exit: RemoteExit
}

/** Runs a short command without input to its end. */
export async function runCommand(connection: Connection, command: readonly string[], signal: AbortSignal): Promise<CommandResult> {
  const process = await connection.exec(command, { signal })
  // It may end before its input is closed.
  process.stdin.on('error', () => undefined)
  process.stdin.end()
  const [stdout, stderr, exit] = await Promise.all([textOf(process.stdout), textOf(process.stderr), process.exit])
  return { stdout, stderr, exit }
}

async function textOf(stream: Readable): Promise<string> {
  const kept: Buffer[] = []
  let length = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (length < maximumOutput) kept.push(chunk)
    length += chunk.length
  }
  return Buffer.concat(kept).subarray(0, maximumOutput).toString('utf8')
}
