import { dropInPath, type DaemonService } from './daemon-service.js'
import type { HostFiles } from './host-files.js'
import { setsGuix, wantsLauncher } from './launcher.js'

const ownProfile = '/var/guix/profiles/guix-daemon'
/** Where the program itself may be. */
const usualPrograms = [`${ownProfile}/bin/guix-daemon`, '/usr/bin/guix-daemon', '/usr/local/bin/guix-daemon']

/** What the unit starts must leave `GUIX` as the unit sets it; the launcher does not help everywhere. */
export function programWarnings(files: HostFiles, { start }: DaemonService): string[] {
  const replacesGuix = (program: string): boolean => setsGuix(files.read(program) ?? '')
  if (start === undefined || wantsLauncher(files, start) || !replacesGuix(start.program)) return []
  const other = usualPrograms.find((path) => files.stat(path)?.isFile() === true && !replacesGuix(path))
  const cure = other === undefined
    ? `Have the program itself (guix install --profile=${ownProfile} guix) and start that: ${ownProfile}/bin/guix-daemon`
    : `Start the program itself: ${other}`
  return [`${start.program}, which ${start.file} starts, is a script that sets GUIX, whatever ${dropInPath} says: the hook is not used. ${cure}`
    + ' (systemctl edit guix-daemon: under [Service] an empty ExecStart=, then one with that path and the same options). Then run this again']
}
