import type { DaemonService } from './daemon-service.js'
import type { HostFiles } from './host-files.js'
import { launcherPath } from './launcher.js'
import { wrapperPath } from './wrapper.js'

export interface Situation {
  readonly service: DaemonService | undefined
  readonly changed: boolean
  readonly undo: boolean
}

/** What only the reader can do: restarting the daemon ends builds that run, and a daemon without systemd is started from somewhere else. */
export function instructionsFor(files: HostFiles, { service, changed, undo }: Situation): string[] {
  if (service !== undefined) return changed ? ['Once no build is running, restart the daemon: systemctl restart guix-daemon'] : []
  if (onGuixSystem(files)) return [undo ? systemUndo : systemSetUp]
  return [undo
    ? 'Remove GUIX from the environment of guix-daemon, wherever that is started, and restart it'
    : `Start guix-daemon with this in its environment: GUIX=${wrapperPath}\nFor instance: env GUIX=${wrapperPath} guix-daemon --build-users-group=guixbuild\n`
      + `The guix-daemon of \`guix pull\` sets GUIX itself; start that by: env GUIX=${wrapperPath} ${launcherPath} PATH/guix-daemon --build-users-group=guixbuild`]
}

export function onGuixSystem(files: HostFiles): boolean {
  return files.stat('/run/current-system') !== undefined
}

const systemSetUp = `Add this to the services of the operating system's configuration, then run \`guix system reconfigure\` and \`herd restart guix-daemon\`:

  (modify-services %base-services   ; or %desktop-services
    (guix-service-type config =>
      (guix-configuration
        (inherit config)
        (environment (cons "GUIX=${wrapperPath}"
                           (guix-configuration-environment config))))))`

const systemUndo = `Remove "GUIX=${wrapperPath}" from the \`environment\` field of guix-configuration, then run \`guix system reconfigure\` and \`herd restart guix-daemon\``
