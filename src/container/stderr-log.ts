import type { Log } from '../plugin-api/index.js'

/** Lines on stderr: the terminal's, or, under guix-daemon, those that the user of `guix build` sees. Debug lines only where `GUIX_OFFLOAD_DEBUG` is set. */
export function stderrLog(environment: Readonly<Record<string, string | undefined>>): Log {
  const verbose = (environment.GUIX_OFFLOAD_DEBUG ?? '') !== ''
  const line = (message: string) => void process.stderr.write(`${message}\n`)
  return {
    debug: (message) => (verbose ? line(`guix-offload: debug: ${message}`) : undefined),
    info: line,
    warn: (message) => line(`guix-offload: warning: ${message}`),
  }
}
