import { quote } from './shell.js'

export interface Bind {
  /** On the host. */
  readonly source: string
  /** In the machine; made if missing. */
  readonly target: string
  /** Read-only unless set. */
  readonly writable?: boolean
}

export interface Mounts {
  /** The shared root file system. */
  readonly root: string
  /** This machine's folder on disk: overlayfs cannot keep its upper layer on every tmpfs. */
  readonly folder: string
  readonly hostName: string
  readonly binds: readonly Bind[]
  /** Size of a tmpfs over /gnu/store, in mount's notation. */
  readonly storeSize?: string | undefined
}

const devices = [['null', 1, 3], ['zero', 1, 5], ['full', 1, 7], ['random', 1, 8], ['urandom', 1, 9], ['tty', 5, 0]] as const
const deviceLinks = [
  ['/proc/self/fd', 'fd'], ['/proc/self/fd/0', 'stdin'], ['/proc/self/fd/1', 'stdout'], ['/proc/self/fd/2', 'stderr'], ['pts/ptmx', 'ptmx'],
] as const

const bindLines = (root: string, { source, target, writable }: Bind) => {
  const [from, to] = [quote(source), quote(root + target)]
  return [
    `if [ -d ${from} ]; then mkdir -p ${to}; else mkdir -p "$(dirname ${to})"; [ -e ${to} ] || : > ${to}; fi`,
    `mount --bind ${from} ${to}`,
    ...(writable === true ? [] : [`mount -o remount,bind,ro ${to}`]),
  ]
}

/**
 * The shell script that makes a machine's file system in a mount namespace of its own and moves into it. `volatile` spares every fsync: nothing
 * here has to outlive a crash. The bind mounts come before the change of root, as their sources are out of sight after it.
 */
export const mountScript = ({ root, folder, hostName, binds, storeSize }: Mounts) => {
  const top = `${folder}/root`
  const at = (path: string) => quote(top + path)
  return [
    'umask 022',
    `hostname ${quote(hostName)}`,
    'ip link set lo up',
    quote('mkdir', '-p', `${folder}/upper`, `${folder}/work`, top),
    `rm -rf ${quote(`${folder}/work/work/incompat`)}`,
    quote('mount', '-t', 'overlay', 'overlay', '-o', `lowerdir=${root},upperdir=${folder}/upper,workdir=${folder}/work,volatile`, top),
    `mount -t proc proc ${at('/proc')}`,
    `mount -t sysfs -o ro sysfs ${at('/sys')}`,
    `mount -t tmpfs -o mode=1777 tmpfs ${at('/tmp')}`,
    `mount -t tmpfs -o mode=755 tmpfs ${at('/run')}`,
    `mkdir -p ${at('/run/sshd')} ${at('/run/lock')}`,
    `mount -t tmpfs -o mode=755 tmpfs ${at('/dev')}`,
    ...devices.map(([name, major, minor]) => `mknod -m 666 ${at(`/dev/${name}`)} c ${major} ${minor}`),
    ...deviceLinks.map(([target, name]) => `ln -s ${target} ${at(`/dev/${name}`)}`),
    `mkdir ${at('/dev/pts')} ${at('/dev/shm')}`,
    `mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts ${at('/dev/pts')}`,
    `mount -t tmpfs -o mode=1777 tmpfs ${at('/dev/shm')}`,
    ...(storeSize === undefined ? [] : [`mount -t tmpfs -o ${quote(`size=${storeSize}`)} tmpfs ${at('/gnu/store')}`]),
    ...binds.flatMap((bind) => bindLines(top, bind)),
    `cd ${quote(top)}`,
    'mkdir -p .host',
    'pivot_root . .host',
    'cd /',
    'umount -l /.host',
    'rmdir /.host',
  ].join('\n')
}
