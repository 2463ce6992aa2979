import { MachineError } from '../errors/offload-error.js'
import type { BuildMachine } from '../plugin-api/index.js'
import { labelOf } from './label.js'

/** What commands say of a socket that nobody listens on, or that is not for us; from the C library, in the C locale. */
const reasons = /No such file or directory|Connection refused|Permission denied/

/** Why a command could not connect to the daemon; undefined if it failed for another reason. */
export function unavailability(complaint: string): string | undefined {
  return reasons.exec(complaint)?.[0]
}

/** The same error whatever the way to the daemon was. */
export function socketUnavailable(machine: BuildMachine, step: string, seen: string): MachineError {
  return new MachineError({
    code: 'socket-unavailable',
    machine: labelOf(machine),
    step,
    subject: machine.daemonSocket,
    problem: 'the machine has nothing for us to connect to there',
    seen,
    cure: 'Is guix-daemon running there, and may the user connect to it?',
  })
}
