import { MachineError } from '../errors/offload-error.js'

/** The daemon there ends a build that is silent or takes too long; if it has not done so this much later, it hangs itself. Milliseconds. */
export const verdictGraceMs = 60_000

export function daemonSilent(machine: string, step: string, what: string, limitMs: number): MachineError {
  return new MachineError({
    code: 'daemon-silent', machine, step, problem: `the daemon has ${what} for ${limitMs / 1000} s`, cure: 'The machine may be overloaded, or its guix-daemon hang',
  })
}

/** @param timeout in seconds */
export function buildOverdue(machine: string, timeout: number): MachineError {
  return new MachineError({
    code: 'daemon-silent', machine, step: 'building',
    problem: `the build should have been ended after ${timeout} s, and the daemon there has not done so`, cure: 'See to guix-daemon there',
  })
}

/** The daemon says this, once, where it waits for a collection, which may take hours. */
export function waitsForCollection(message: Uint8Array): boolean {
  return Buffer.from(message).includes('garbage collector lock')
}
