import { isAbsolute } from 'node:path'
import type { BuildMachine, ConnectContext, Connection, PluginHost, Transport } from 'guix-offload/plugin-api'
import { abortReason, Failures } from 'guix-offload-ssh-common/failures.js'
import { pinnedKeys } from './host-key.js'
import { master } from './master.js'
import { pathsIn, planFor } from './master-plan.js'
import { OpensshConnection } from './openssh-connection.js'
import { privateFolder, usualFolders } from './private-folder.js'
import { sshProgram } from './ssh-program.js'

/** What `plugins: openssh:` in the configuration file may say. */
interface Options {
  /** Path of `ssh`. */
  readonly program?: string | undefined
  /** For control sockets. */
  readonly folder?: string | undefined
}

/**
 * The transport over the system's `ssh`: one connection per machine, kept by a control master for all processes of a user and for a while after the
 * last of them; jump hosts, and everything else that OpenSSH's client knows and ssh2 does not.
 */
export function opensshTransport(host: PluginHost): Transport {
  const options = readOptions(host)
  return {
    name: 'openssh',
    connect: (machine, context) => connect(host, options, machine, context),
  }
}

async function connect(host: PluginHost, options: Options, machine: BuildMachine, context: ConnectContext): Promise<Connection> {
  if (context.signal.aborted) throw abortReason(context.signal)
  const failures = new Failures(host.errors, machine)
  const plan = planFor(machine, pinnedKeys(machine, failures), context, host.log)
  // ssh looks at the owner of the usual files, but not of one it is given by name; what it says may run programs.
  if (typeof plan.sshConfig === 'string') await host.readTrustedFile(plan.sshConfig)
  const [program, folder] = await Promise.all([
    sshProgram(failures, options.program),
    privateFolder(failures, options.folder === undefined ? usualFolders() : [options.folder]),
  ])
  const setup = { failures, plan, folder, paths: pathsIn(folder, plan.name), program, log: host.log }
  const { control, facts } = await master(setup, context)
  if (context.signal.aborted) {
    control.destroy()
    throw abortReason(context.signal)
  }
  return new OpensshConnection(setup, { control, facts }, context)
}

function readOptions({ options, errors }: PluginHost): Options {
  if (options === undefined || options === null) return {}
  const known = ['program', 'folder']
  const wrong = typeof options !== 'object' || Array.isArray(options)
    ? 'the section'
    : Object.entries(options).find(([key, value]) => !known.includes(key) || typeof value !== 'string' || !isAbsolute(value))?.[0]
  if (wrong === undefined) return options
  throw errors.configuration({
    code: 'option-invalid', step: 'reading the options of transport openssh', problem: `${wrong} is not one it knows`, expected: 'program and folder, both absolute paths',
    subject: 'plugins: openssh: in the configuration file',
  })
}
