/** The record `build-machine` as `(guix scripts offload)` defines and exports it (Guix 1.5). */
import type { SchemeModule } from 'guix-offload/plugin-api'

/** `home` is where `private-key` is looked for by default. */
export function offloadModule(home: string): SchemeModule {
  return {
    name: '(guix scripts offload)',
    records: [{
      name: 'build-machine',
      predicate: 'build-machine?',
      fields: [
        { name: 'name', accessor: 'build-machine-name' },
        { name: 'port', accessor: 'build-machine-port', default: 22n },
        { name: 'systems', accessor: 'build-machine-systems', default: false },
        { name: 'system', default: false },
        { name: 'user', accessor: 'build-machine-user' },
        { name: 'private-key', accessor: 'build-machine-private-key', default: `${home}/.ssh/id_rsa` },
        { name: 'host-key', accessor: 'build-machine-host-key' },
        { name: 'compression', accessor: 'build-machine-compression', default: 'zlib@openssh.com,zlib' },
        { name: 'compression-level', default: 3n },
        { name: 'daemon-socket', accessor: 'build-machine-daemon-socket', default: '/var/guix/daemon-socket/socket' },
        { name: 'overload-threshold', accessor: 'build-machine-overload-threshold', default: 0.8 },
        { name: 'parallel-builds', default: 1n },
        { name: 'speed', default: 1 },
        { name: 'features', accessor: 'build-machine-features', default: [] },
        { name: 'location', accessor: 'build-machine-location', default: false },
      ],
    }],
  }
}
