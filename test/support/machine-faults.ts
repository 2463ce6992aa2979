/** What happens to a build machine, and how it is mended. */
import type { Machine } from '../testbed/machine.js'

export interface MachineFault {
  readonly strike: (machine: Machine) => Promise<unknown>
  readonly mend: (machine: Machine) => Promise<unknown>
}

type Service = 'sshd' | 'lshd' | 'daemon'
const killed = (service: Service): MachineFault => ({ strike: (machine) => machine[service].kill(), mend: (machine) => machine[service].start() })
/** Connections stay open and nobody answers. */
const stopped = (service: Service): MachineFault => ({ strike: (machine) => machine[service].pause(), mend: (machine) => machine[service].resume() })

/** Without a word to either side. */
export const linkLost: MachineFault = { strike: (machine) => machine.disconnect(), mend: (machine) => machine.reconnect() }
export const sshdKilled = killed('sshd')
export const sshdStopped = stopped('sshd')
export const lshdKilled = killed('lshd')
export const lshdStopped = stopped('lshd')
export const daemonKilled = killed('daemon')
export const daemonStopped = stopped('daemon')
