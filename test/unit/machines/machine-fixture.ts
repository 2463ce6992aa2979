import type { BuildMachine } from '../../../src/plugin-api/index.js'

/** A machine with everything at its usual value but what a test is about. */
export function machine(name: string, rest: Partial<BuildMachine> = {}): BuildMachine {
  return {
    name,
    port: 22,
    systems: ['x86_64-linux'],
    user: 'builder',
    hostKey: 'ssh-ed25519 AAAAC3Nza',
    daemonSocket: '/var/guix/daemon-socket/socket',
    overloadThreshold: 0.8,
    parallelBuilds: 1,
    speed: 1,
    features: [],
    source: 'test',
    ...rest,
  }
}
