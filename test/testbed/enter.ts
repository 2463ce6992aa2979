import { childrenOf } from './processes.js'
import { ordinaryUser } from './root-recipe.js'
import { waitFor } from './wait.js'

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

const doorway = ['sh', '-c', '"$@"; exit $?', 'sh']
/** Whether a command line is that of the shell between nsenter and a program. */
export const isDoorway = (command: readonly string[]) => doorway.every((word, index) => command[index] === word)

/**
 * The command line that runs a command in the namespaces of a holder. `--pdeathsig` ties the ends together: when nsenter is killed, which is
 * all that the host sees as the command, what it started inside is killed as well. The shell in between is there for commands that are
 * suspended: nsenter would suspend itself along with its child, bury nobody from then on, and so keep the namespaces from going. Hence a
 * command ended by a signal is seen as exit status 128 + its number. The environment is the machine's, not the caller's.
 */
export const enterCommand = (pid: number, command: readonly string[], { user = 'root', env = {}, cwd, capabilities }: EnterOptions = {}) => {
  const identity = user === 'root' ? [] : [`--reuid=${user}`, `--regid=${user}`, '--init-groups']
  const kept = capabilities === undefined ? [] : [`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`]
  const login = { PATH: searchPath, HOME: homes[user], USER: user, LOGNAME: user }
  const variables = Object.entries({ ...login, LC_ALL: 'C.UTF-8', GUILE_AUTO_COMPILE: '0', ...env })
  return [
    'nsenter', `--target=${pid}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--',
    'setpriv', '--pdeathsig=KILL', '--', ...doorway,
    'setpriv', ...identity, ...kept, '--pdeathsig=KILL', '--',
    'env', '-i', ...(cwd === undefined ? [] : [`--chdir=${cwd}`]), ...variables.map(([name, value]) => `${name}=${value}`),
    ...command,
  ]
}

/** The program that such a command line runs, by its pid on the host. */
export const programOf = (nsenter: number) =>
  waitFor('a command in a machine', async () => {
    const [shell] = await childrenOf(nsenter)
    return shell === undefined ? undefined : (await childrenOf(shell))[0]
  })
