/** What matters here of guix-daemon's command line. */
export interface DaemonOptions {
  /** Builds of its own at a time. */
  readonly maxJobs: number
  /** `--no-offload`. It only counts for clients that do not say what they want themselves; `guix build` does. */
  readonly noOffload: boolean
  /** `--system`; undefined: this host's. */
  readonly system?: string | undefined
}

/** Reads it as argp does: `--name=value`, `--name value`, `-M4`, `-M 4`; the last one counts. */
export function daemonOptions([, ...words]: readonly string[]): DaemonOptions {
  let maxJobs = 1
  let noOffload = false
  let system: string | undefined
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? ''
    const value = (...names: string[]): string | undefined => {
      for (const name of names) {
        if (word === name) return words[(index += 1)]
        const inline = name.startsWith('--') ? `${name}=` : name
        if (word.startsWith(inline)) return word.slice(inline.length)
      }
      return undefined
    }
    const jobs = value('--max-jobs', '-M')
    if (jobs !== undefined && /^\d+$/.test(jobs)) maxJobs = Number(jobs)
    system = value('--system') ?? system
    noOffload ||= word === '--no-offload' || word === '--no-build-hook'
  }
  return { maxJobs, noOffload, system }
}

/** The system type of a guix-daemon that runs on this host, in Guix's words. */
export function hostSystem(architecture: NodeJS.Architecture = process.arch): string {
  const names: Partial<Record<string, string>> = { x64: 'x86_64', ia32: 'i686', arm64: 'aarch64', arm: 'armhf', ppc64: 'powerpc64le', riscv64: 'riscv64' }
  return `${names[architecture] ?? architecture}-linux`
}

/** What guix-daemon takes for its own kind: it starts the builder without asking whether somebody emulates it. */
export function buildsNatively(daemonSystem: string, system: string): boolean {
  const also: Readonly<Record<string, string>> = { 'x86_64-linux': 'i686-linux', 'aarch64-linux': 'armhf-linux' }
  return system === daemonSystem || system === also[daemonSystem]
}
