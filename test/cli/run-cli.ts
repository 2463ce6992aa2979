import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly environment?: Record<string, string>
  readonly input?: string
  /** What to start instead of the checkout's program. */
  readonly program?: string
}

/** Runs the built program as guix-daemon might: from `/`, with next to nothing in the environment. */
export function runCli(words: readonly string[], { environment = {}, input = '', program = fileURLToPath(new URL('../../bin/run.js', import.meta.url)) }: CliOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { cwd: '/', env: { PATH: '/usr/bin:/bin', ...environment } })
    const outcome = { status: null as number | null, stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (outcome.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (outcome.stderr += text))
    child.on('error', reject)
    child.on('close', (status) => resolve({ ...outcome, status }))
    // A program that ends without reading its input is no failure of the test.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
