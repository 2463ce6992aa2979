/** Machines that leave a client only one rung to their daemon, for each version of Guix. */
import type { Rung } from '../../src/state/rung-memory.js'
import type { MachineOptions } from '../testbed/bed.js'
import type { Machine } from '../testbed/machine.js'

export interface RungKind {
  readonly name: string
  readonly guix: '1.5.0' | '1.2.0'
  readonly rung: Rung
  readonly way: 'socket' | 'socat' | 'repl' | 'commands'
}

const rungOf = { socket: 'socket', socat: 'bridge', repl: 'bridge', commands: 'commands' } as const

export const rungKinds: readonly RungKind[] = (['1.5.0', '1.2.0'] as const).flatMap((guix) =>
  (['socket', 'socat', 'repl', 'commands'] as const).map((way) => ({ name: `${way}-${guix === '1.5.0' ? 'new' : 'old'}`, guix, way, rung: rungOf[way] })),
)

export const machineOptions = ({ name, guix, way }: RungKind): MachineOptions => ({
  name, guix, daemon: 'root', sshd: way === 'socket' ? true : { config: ['AllowStreamLocalForwarding no'] },
})

/** Takes away what a better rung needs. The `guix` of people who log in, not the daemon's own, loses its `repl`. */
export const takeAway = async (machine: Machine, { way }: RungKind) => {
  if (way === 'repl' || way === 'commands') await machine.sh('rm /usr/bin/socat')
  if (way !== 'commands') return
  await machine.sh('mkdir -p /usr/libexec/whole; mv /usr/bin/guix /usr/libexec/whole/guix')
  const shim = `#!/bin/sh
if [ -n "$SSH_CONNECTION" ] && [ "$1" = repl ]; then echo 'guix: repl: command not found' >&2; exit 1; fi
exec /usr/libexec/whole/guix "$@"
`
  await machine.writeFile('/usr/bin/guix', shim, 0o755)
}
