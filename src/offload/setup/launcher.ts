import type { ExecStart } from './exec-start.js'
import type { HostFiles } from './host-files.js'
import type { OwnFile } from './own-file.js'

/** Beside the wrapper, for the same reasons. */
export const launcherPath = '/usr/local/libexec/guix-offload/guix-daemon'

/**
 * `guix pull` installs no guix-daemon but a Guile script that sets `GUIX`, whatever it was, and then starts one (`wrap` in guix/self.scm); the unit of Guix's own installer names that script. The
 * launcher has it set another variable. Distributions' packages, Guix System and the package `guix` have the program itself.
 */
export const launcher: OwnFile = {
  path: launcherPath,
  mode: 0o755,
  content: (header) => [
    '#!/bin/sh',
    ...header,
    '# Starts the guix-daemon that is named first. That of `guix pull` is a Guile script which would replace GUIX: here it sets another variable.',
    'daemon=$1',
    'shift',
    String.raw`guile=$(head -c 4096 "$daemon" | sed -n '1s/^#! *\([^ ]*\/guile\)\( .*\)\{0,1\}$/\1/p')`,
    `if [ -n "$guile" ]; then exec "$guile" --no-auto-compile -c "$(sed 's/(setenv "GUIX" /(setenv "GUIX_AS_PULLED" /g' "$daemon")" "$@"; fi`,
    'exec "$daemon" "$@"',
    '',
  ].join('\n'),
}

/** Whether the daemon has to be started by the launcher, now or after the next `guix pull`; never where that would change nothing. */
export function wantsLauncher(files: HostFiles, start: ExecStart): boolean {
  if (start.wins || start.prefix.includes('@')) return false
  return /\/(?:current-guix|\.config\/guix\/current)\/bin\/guix-daemon$/.test(start.program) || isPulled(files.read(start.program) ?? '')
}

const isPulled = (text: string): boolean => /^#! *\S*\/guile(?: |$)/m.test(text.split('\n', 1)[0] ?? '') && setsGuix(text)

/** Only what keeps a value that is there already looks at it first. */
export function setsGuix(script: string): boolean {
  if (!script.startsWith('#!')) return false
  return (script.includes('(setenv "GUIX" ') && !script.includes('(getenv "GUIX")')) || /^\s*(?:export\s+)?GUIX=(?!.*\$\{?GUIX\b)/m.test(script)
}
