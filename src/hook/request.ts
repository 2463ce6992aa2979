import { ProtocolError } from '../errors/offload-error.js'
import type { BuildRequest } from '../plugin-api/index.js'

/** `WANTS-LOCAL SYSTEM DRV FEATURES`; with no features the line ends in a blank. */
const requestLine = /^([01]) ([a-z0-9_-]+) (\/[\x21-\x7e]+\.drv) ([\x21-\x7e]*)$/

/**
 * Reads one request of guix-daemon.
 * @throws ProtocolError `malformed-request`
 */
export function parseRequest(line: string): BuildRequest {
  const [, wantsLocal, system, derivation, features] = requestLine.exec(line) ?? []
  if (system === undefined || derivation === undefined || features === undefined) {
    throw new ProtocolError(
      {
        code: 'malformed-request',
        step: "reading guix-daemon's request",
        problem: 'not understood',
        expected: 'WANTS-LOCAL SYSTEM DRV FEATURES',
        seen: JSON.stringify(line.length > 300 ? `${line.slice(0, 300)}…` : line),
      },
      'never',
    )
  }
  return { derivation, system, features: features.split(',').filter((feature) => feature !== ''), wantsLocal: wantsLocal === '1' }
}

/** Reads one of the two lines that follow `# accept`: store paths, each followed by a blank. */
export function parsePaths(line: string): string[] {
  return line.split(' ').filter((path) => path !== '')
}
