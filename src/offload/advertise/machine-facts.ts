/** What this machine is, for its advertisement: read from files, nothing is asked of anybody. */
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hostKeyFingerprint } from '../../machines/host-key-fingerprint.js'

export interface MachineFacts {
  /** Systems that the processor runs. */
  readonly systems: readonly string[]
  /** Systems that the kernel hands to QEMU (binfmt_misc), which works within build environments. */
  readonly emulated: readonly string[]
  readonly cores: number
  readonly memoryBytes: number
  readonly features: readonly string[]
  readonly hostKey?: string | undefined
  readonly certificate?: string | undefined
  /** Things that are not advertised, and why. */
  readonly remarks: readonly string[]
}

export interface FactSources {
  /** `/`, or another root for tests. */
  readonly root: string
  /** As `uname -m` says. */
  readonly architecture: string
  readonly cores: number
  readonly memoryBytes: number
}

/** By `uname -m`; a 64-bit x86 runs 32-bit programs as well. Not every 64-bit ARM does: `armhf-linux` is left to --systems. */
const nativeSystems: Readonly<Record<string, readonly string[]>> = {
  x86_64: ['x86_64-linux', 'i686-linux'], i686: ['i686-linux'], i586: ['i686-linux'], aarch64: ['aarch64-linux'], armv7l: ['armhf-linux'],
  ppc64le: ['powerpc64le-linux'], riscv64: ['riscv64-linux'], loongarch64: ['loongarch64-linux'], mips64: ['mips64el-linux'],
}
const emulators: Readonly<Record<string, string>> = {
  'qemu-x86_64': 'x86_64-linux', 'qemu-i386': 'i686-linux', 'qemu-aarch64': 'aarch64-linux', 'qemu-arm': 'armhf-linux', 'qemu-ppc64le': 'powerpc64le-linux',
  'qemu-riscv64': 'riscv64-linux', 'qemu-loongarch64': 'loongarch64-linux', 'qemu-mips64el': 'mips64el-linux',
}
const binfmt = 'proc/sys/fs/binfmt_misc'
/** ssh-rsa is left out: such a key does not fit into one string of a TXT record. */
const hostKeyTypes = ['ed25519', 'ecdsa']

export async function machineFacts({ root, architecture, cores, memoryBytes }: FactSources): Promise<MachineFacts> {
  const systems = nativeSystems[architecture] ?? []
  const remarks: string[] = systems.length === 0 ? [`what Guix calls this machine (${architecture}) is not known here: say it with --systems`] : []
  const [emulation, kvm, key] = await Promise.all([emulatedSystems(root), exists(join(root, 'dev/kvm')), hostKey(root)])
  remarks.push(...emulation.remarks)
  if (key === undefined) remarks.push('there is no Ed25519 or ECDSA host key in /etc/ssh, so that nobody can pin this machine from what it says')
  return {
    systems, cores, memoryBytes, remarks,
    emulated: emulation.systems.filter((system) => !systems.includes(system)),
    features: kvm ? ['kvm'] : [],
    ...key,
  }
}

async function emulatedSystems(root: string): Promise<{ readonly systems: readonly string[]; readonly remarks: readonly string[] }> {
  const names = await readdir(join(root, binfmt)).catch(() => [])
  const systems: string[] = []
  const remarks: string[] = []
  for (const name of names.sort()) {
    const system = emulators[name]
    const entry = system === undefined ? undefined : await readFile(join(root, binfmt, name), 'utf8').catch(() => undefined)
    if (system === undefined || entry === undefined || !/^enabled$/m.test(entry)) continue
    // Without F the emulator is looked for in the build environment, where it is not.
    if (/^flags: .*F/m.test(entry)) systems.push(system)
    else remarks.push(`${system} is emulated, but not within build environments: its entry in binfmt_misc lacks the flag F`)
  }
  return { systems, remarks }
}

async function hostKey(root: string): Promise<{ readonly hostKey: string; readonly certificate?: string } | undefined> {
  for (const type of hostKeyTypes) {
    const path = join(root, `etc/ssh/ssh_host_${type}_key`)
    const line = await firstWords(`${path}.pub`)
    if (line === undefined || hostKeyFingerprint(line) === undefined) continue
    const certificate = await firstWords(`${path}-cert.pub`)
    return { hostKey: line, ...(certificate === undefined ? {} : { certificate: certificate.split(' ')[1] ?? '' }) }
  }
  return undefined
}

async function firstWords(path: string): Promise<string | undefined> {
  const [type, base64] = (await readFile(path, 'utf8').catch(() => '')).trim().split(/[ \t\n]+/)
  return type === undefined || base64 === undefined ? undefined : `${type} ${base64}`
}

const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false)

/**
 * Builds at a time: one for four cores and four GiB of memory, as each uses several cores for a part of its time, and memory for all of it.
 * @param memoryBytes of the whole machine
 */
export function usualJobs(cores: number, memoryBytes: number): number {
  return Math.max(1, Math.min(Math.floor(cores / 4), Math.floor(memoryBytes / 2 ** 32)))
}
