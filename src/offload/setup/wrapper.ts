import type { OwnFile } from './own-file.js'

/**
 * Where guix-daemon finds the wrapper. In `/usr/local/libexec`: the place for programs that other programs start and an administrator, not a distribution, has
 * put there; only root writes to it (`/etc/guix` and `/var/guix` belong to the daemon's user in unprivileged set-ups) and it may hold executables.
 */
export const wrapperPath = '/usr/local/libexec/guix-offload/guix'

export interface WrapperPrograms {
  readonly node: string
  /** Our own start script. */
  readonly program: string
  /** The `guix` that everything but `offload` goes to, and `offload` as well once our package is gone. */
  readonly guix: string
}

export function wrapper({ node, program, guix }: WrapperPrograms): OwnFile {
  return {
    path: wrapperPath,
    mode: 0o755,
    content: (header) => [
      '#!/bin/sh',
      ...header,
      'if [ "$1" = offload ]; then',
      `  if [ -x ${quoted(node)} ] && [ -r ${quoted(program)} ]; then exec ${quoted(node)} ${quoted(program)} "$@"; fi`,
      `  printf '%s\\n' ${quoted(`guix-offload: ${program} or ${node} cannot be used; guix's own offload takes over`)} >&2`,
      'fi',
      `exec ${quoted(guix)} "$@"`,
      '',
    ].join('\n'),
  }
}

/** One word for the shell, whatever is in it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
