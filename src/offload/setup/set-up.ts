import { accessWarnings, type MachineFiles } from './access-warnings.js'
import { dropIn, dropInPath, readDaemonService, type DaemonService } from './daemon-service.js'
import { findGuix } from './find-guix.js'
import { HostFiles } from './host-files.js'
import { instructionsFor, onGuixSystem } from './instructions.js'
import { launcher, launcherPath, wantsLauncher } from './launcher.js'
import { dropBytecode, putBytecode, type Bytecode } from './bytecode.js'
import { dropFile, putFile, type OwnFile } from './own-file.js'
import { programWarnings } from './program-warnings.js'
import type { SetupChange, SetupReport } from './report.js'
import { stableNode } from './stable-node.js'
import { wrapper, wrapperPath } from './wrapper.js'

export interface SetupNeeds {
  /** `/`; another one in tests. */
  readonly root: string
  /** The running node. */
  readonly node: string
  /** Our own start script. */
  readonly program: string
  /** `PATH`, where guix may be found. */
  readonly searchPath: string
  /** Runs a command; resolves with the error's text if it fails. */
  readonly run: (command: readonly string[]) => Promise<string | undefined>
  /** What guix-daemon's user must be able to read besides the programs. */
  readonly machineFiles: () => Promise<MachineFiles>
  /** What is compiled ahead, among our own files. */
  readonly bytecode?: Bytecode | undefined
}

export interface SetupOptions {
  readonly dryRun: boolean
  readonly undo: boolean
}

/**
 * Makes guix-daemon use this hook, or no longer: a wrapper that `GUIX` in the daemon's environment is pointed at, and, where systemd runs the daemon, the drop-in
 * that does it; a launcher for daemons that would not leave `GUIX` alone. Doing it twice changes nothing; undoing it leaves nothing. Files of others are never touched.
 * @throws ConfigurationError
 */
export async function setUp(needs: SetupNeeds, options: SetupOptions): Promise<SetupReport> {
  const files = new HostFiles(needs.root)
  const service = readDaemonService(files)
  const outcome = options.undo ? takeDown(files, needs, options) : await putUp(files, service, needs, options)
  const reloads = service !== undefined && outcome.changes.some(({ action, subject }) => action !== 'keep' && subject === dropInPath)
  const reload = reloads ? await reloadSystemd(files, needs, options) : { changes: [], warnings: [] }
  const changes = [...outcome.changes, ...reload.changes]
  const changed = changes.some(({ action, subject }) => action !== 'keep' && [wrapperPath, launcherPath, dropInPath].includes(subject))
  return {
    dryRun: options.dryRun,
    changes,
    instructions: instructionsFor(files, { service, changed, undo: options.undo }),
    warnings: [...outcome.warnings, ...reload.warnings],
  }
}

interface Outcome {
  readonly changes: readonly SetupChange[]
  readonly warnings: readonly string[]
}

async function putUp(files: HostFiles, service: DaemonService | undefined, needs: SetupNeeds, { dryRun }: SetupOptions): Promise<Outcome> {
  const guix = findGuix(files, service?.start?.program, needs.searchPath)
  const node = stableNode(files, needs.node, needs.searchPath)
  const programs = { node: node ?? needs.node, program: needs.program, guix }
  // First looked at, then written: the second file must not be the one that is refused.
  const wanted = [wrapper(programs), ...howStarted(files, service)]
  for (const file of wanted) putFile(files, file, true)
  const changes = wanted.map((file) => putFile(files, file, dryRun))
  const compiled = await putBytecode(files, needs.bytecode, dryRun)
  const warnings = [
    ...compiled.warnings,
    ...(node === undefined ? [`${needs.node} is garbage-collected once no profile has it: install node in a profile and run this again`] : []),
    ...(service === undefined ? [] : [
      ...settingWarnings(service),
      ...programWarnings(files, service),
      ...accessWarnings(files, service.user, programs, await needs.machineFiles()),
    ]),
  ]
  return { changes: [...changes, ...compiled.changes], warnings }
}

/** On Guix System nothing but the environment has to be changed, and not by us. */
function howStarted(files: HostFiles, service: DaemonService | undefined): OwnFile[] {
  if (service === undefined) return onGuixSystem(files) ? [] : [launcher]
  const { start } = service
  return start !== undefined && wantsLauncher(files, start) ? [launcher, dropIn(start)] : [dropIn(undefined)]
}

function takeDown(files: HostFiles, { bytecode }: SetupNeeds, { dryRun }: SetupOptions): Outcome {
  const paths = [dropInPath, launcherPath, wrapperPath]
  for (const path of paths) dropFile(files, path, true)
  return { changes: [...paths.flatMap((path) => dropFile(files, path, dryRun)), ...dropBytecode(files, bytecode, dryRun)], warnings: [] }
}

function settingWarnings(service: DaemonService): string[] {
  return service.otherSettings.map(({ file, value, wins }) => (wins
    ? `${file} sets GUIX to ${value} and wins over ${dropInPath}: remove that line, or the hook is not used`
    : `${file} sets GUIX to ${value}, which ${dropInPath} now takes the place of`))
}

async function reloadSystemd(files: HostFiles, needs: SetupNeeds, { dryRun }: SetupOptions): Promise<Outcome> {
  // sd_booted(3): that folder is there if systemd is the running init.
  if (files.stat('/run/systemd/system') === undefined) return { changes: [], warnings: [] }
  const command = ['systemctl', 'daemon-reload']
  const error = dryRun ? undefined : await needs.run(command)
  return {
    changes: error === undefined ? [{ action: 'run', subject: command.join(' ') }] : [],
    warnings: error === undefined ? [] : [`${command.join(' ')} failed: ${error}`],
  }
}
