// `guix pull` installs no guix-daemon but a Guile script that sets `GUIX`, whatever it was, and then starts one (`wrap` in guix/self.scm). The unit of Guix's own
// installer names that script; distributions' packages, Guix System and the package `guix` have the program itself.

import { dropInPath, type DaemonService } from './daemon-service.js'
import type { HostFiles } from './host-files.js'

const ownProfile = '/var/guix/profiles/guix-daemon'
/** Where the program itself may be. */
const usualPrograms = [`${ownProfile}/bin/guix-daemon`, '/usr/bin/guix-daemon', '/usr/local/bin/guix-daemon']

/** What the unit starts must leave `GUIX` as the unit sets it. */
export function programWarnings(files: HostFiles, { program }: DaemonService): string[] {
  if (program === undefined || !setsGuix(files, program)) return []
  const other = usualPrograms.find((path) => files.stat(path)?.isFile() === true && !setsGuix(files, path))
  const cure = other === undefined
    ? `Have the program itself (guix install --profile=${ownProfile} guix) and start that: ${ownProfile}/bin/guix-daemon`
    : `Start the program itself: ${other}`
  return [`${program} is a script that sets GUIX, as guix pull installs it, whatever ${dropInPath} says: the hook is not used. ${cure}`
    + ' (systemctl edit guix-daemon: under [Service] an empty ExecStart=, then one with that path and the same options). Then run this again']
}

/** Only what keeps a value that is there already looks at it first. */
function setsGuix(files: HostFiles, program: string): boolean {
  const text = files.read(program) ?? ''
  if (!text.startsWith('#!')) return false
  return (text.includes('(setenv "GUIX" ') && !text.includes('(getenv "GUIX")')) || /^\s*(?:export\s+)?GUIX=(?!.*\$\{?GUIX\b)/m.test(text)
}
