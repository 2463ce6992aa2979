import { ordinaryUser } from './root-recipe.js'

/** Whom a command runs as, inside a machine. */
export type User = 'root' | 'guix-daemon' | typeof ordinaryUser

export interface EnterOptions {
  readonly user?: User | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Working directory in the machine, `/` by default. */
  readonly cwd?: string | undefined
  /** Capabilities an ordinary user keeps, in setpriv's notation (`+chown`). */
  readonly capabilities?: string | undefined
}

const homes: Readonly<Record<User, string>> = { root: '/root', 'guix-daemon': '/var/empty', [ordinaryUser]: `/home/${ordinaryUser}` }
export const searchPath = '/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The command line that runs a command in the namespaces of a holder. `--pdeathsig` ties the two ends together: when nsenter is killed, which is all that the
 * host sees as the command, what it started inside is killed as well. The environment is the machine's, not the caller's.
 */
export const enterCommand = (pid: number, command: readonly string[], { user = 'root', env = {}, cwd, capabilities }: EnterOptions = {}) => {
  const identity = user === 'root' ? [] : [`--reuid=${user}`, `--regid=${user}`, '--init-groups']
  const kept = capabilities === undefined ? [] : [`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`]
  const variables = Object.entries({ PATH: searchPath, HOME: homes[user], USER: user, LOGNAME: user, LC_ALL: 'C.UTF-8', GUILE_AUTO_COMPILE: '0', ...env })
  return [
    'nsenter', `--target=${pid}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--',
    'setpriv', ...identity, ...kept, '--pdeathsig=KILL', '--',
    'env', '-i', ...(cwd === undefined ? [] : [`--chdir=${cwd}`]), ...variables.map(([name, value]) => `${name}=${value}`),
    ...command,
  ]
}
