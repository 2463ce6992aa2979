import { basename, join } from 'node:path'
import { parseExecStart, type ExecStart } from './exec-start.js'
import type { HostFiles } from './host-files.js'
import { launcherPath } from './launcher.js'
import type { OwnFile } from './own-file.js'
import { serviceAssignments, words } from './unit-file.js'
import { wrapperPath } from './wrapper.js'

const unit = 'guix-daemon.service'
/** Where systemd looks for units and drop-ins, the strongest first (systemd.unit(5)). */
const unitFolders = ['/etc/systemd/system', '/run/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system']

export const dropInPath = `/etc/systemd/system/${unit}.d/guix-offload.conf`

/** @param launched - What is started by the launcher, in its place. */
export function dropIn(launched: ExecStart | undefined): OwnFile {
  const start = launched === undefined ? [] : ['ExecStart=', `ExecStart=${launched.prefix}${launcherPath} ${launched.program}${launched.rest}`]
  return { path: dropInPath, mode: 0o644, content: (header) => [...header, '[Service]', `Environment=GUIX=${wrapperPath}`, ...start, ''].join('\n') }
}

/** What systemd knows of guix-daemon. */
export interface DaemonService {
  /** The account it runs as; root if the unit says nothing. */
  readonly user: string
  /** How others than us have it started; undefined where that is too unusual to be understood. */
  readonly start?: ExecStart | undefined
  /** Who else sets `GUIX`, in the order in which systemd reads them; the last one wins. */
  readonly otherSettings: readonly { readonly file: string; readonly value: string; readonly wins: boolean }[]
}

/** Reads the unit and its drop-ins; undefined if there is none. */
export function readDaemonService(files: HostFiles): DaemonService | undefined {
  const main = unitFolders.map((folder) => join(folder, unit)).find((path) => files.stat(path)?.isFile())
  if (main === undefined) return undefined
  let user = 'root'
  let start: ExecStart | undefined
  const otherSettings: { file: string; value: string; wins: boolean }[] = []
  for (const file of [main, ...dropIns(files)]) {
    const wins = file !== main && basename(file) > basename(dropInPath)
    for (const [key, value] of serviceAssignments(files.read(file) ?? '')) {
      if (key === 'User') user = value === '' ? 'root' : value
      if (key === 'ExecStart' && file !== dropInPath) start = parseExecStart(value, file, wins)
      const guix = key === 'Environment' ? words(value).findLast((word) => word.startsWith('GUIX=')) : undefined
      if (guix === undefined || file === dropInPath) continue
      otherSettings.push({ file, value: guix.slice('GUIX='.length), wins })
    }
  }
  return { user, start, otherSettings }
}

/** In the order in which systemd applies them: by file name, a name in a stronger folder hiding the same name in a weaker one. */
function dropIns(files: HostFiles): string[] {
  const byName = new Map<string, string>()
  for (const folder of unitFolders) {
    for (const name of files.list(join(folder, `${unit}.d`))) {
      if (name.endsWith('.conf') && !byName.has(name)) byName.set(name, join(folder, `${unit}.d`, name))
    }
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path)
}
