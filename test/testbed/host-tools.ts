import { access, constants, rm, writeFile } from 'node:fs/promises'
import { execa } from 'execa'

/** Commands the bed runs on the host, and the Debian package of each. */
const packages: Readonly<Record<string, string>> = {
  mmdebstrap: 'mmdebstrap',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  flock: 'util-linux',
  mount: 'mount',
  ip: 'iproute2',
  tc: 'iproute2',
  'ssh-keygen': 'openssh-client',
}

const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
const exists = (path: string) => access(path, constants.X_OK).then(() => true, () => false)
const onHost = async (command: string) => (await Promise.all(folders.map((folder) => exists(`${folder}/${command}`)))).includes(true)

/** Why no bed can run here, in one line; undefined if it can. */
export const whyUnavailable = async (): Promise<string | undefined> => {
  if (process.platform !== 'linux') return `the test bed needs Linux, this is ${process.platform}`
  if (process.getuid?.() !== 0) return 'the test bed needs root (namespaces, mounts, overlayfs)'
  if (!(await onHost('apt-get'))) return 'the test bed needs a Debian host to build its machines from packages, and there is no apt-get here'
  if (!(await onHost('unshare'))) return undefined
  const { failed, stderr } = await execa('unshare', ['--mount', '--net', '--pid', '--fork', 'true'], { reject: false })
  return failed ? `the test bed needs namespaces: ${stderr.split('\n')[0] ?? ''}` : undefined
}

/** Servers and clients that the conformance suite starts on the host, and the Debian package of each. */
const servers: Readonly<Record<string, string>> = {
  sshd: 'openssh-server',
  ssh: 'openssh-client',
  lshd: 'lsh-server',
  lsh: 'lsh-client',
  'ssh-conv': 'lsh-utils',
  socat: 'socat',
}

/** Installs what the bed needs and is missing, and says so. */
export const ensureHostTools = () => ensure('test bed', packages)

/** Installs the servers that are missing, and says so; none of them is started, now or with the machine. */
export const ensureServers = async () => {
  const policy = '/usr/sbin/policy-rc.d'
  // Debian starts what it installs, unless this program says no.
  const own = await writeFile(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' }).then(() => true, () => false)
  try {
    await ensure('conformance', servers)
  } finally {
    if (own) await rm(policy, { force: true })
  }
}

const ensure = async (who: string, wanted: Readonly<Record<string, string>>) => {
  const reason = await whyUnavailable()
  if (reason !== undefined) throw new Error(reason)
  const missing = (await Promise.all(Object.keys(wanted).map(async (command) => ((await onHost(command)) ? [] : [wanted[command] ?? command])))).flat()
  if (missing.length === 0) return
  const names = [...new Set(missing)]
  process.stderr.write(`${who}: installing ${names.join(', ')} with apt-get\n`)
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const wait = ['-o', 'DPkg::Lock::Timeout=300']
  const install = () => execa('apt-get', ['install', '--yes', '--no-install-recommends', ...wait, ...names], { env })
  await install().catch(async () => {
    await execa('apt-get', ['update', ...wait], { env })
    await install()
  })
}
