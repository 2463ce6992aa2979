/**
 * Whether a machine would run programs for a system in an emulator. Machines list all systems they build for, and an emulated one takes builds that a native one does in a tenth of the time.
 */
import type { BuildMachine } from '../plugin-api/index.js'

/** Processors that run each other's programs, or whose makers' other ones do in one machine: by Guix's names and by those of `uname -m`. */
const families: readonly (readonly [string, RegExp])[] = [
  ['x86', /^(x86_64|i[3-6]86|amd64)/],
  ['arm', /^(aarch64|arm)/],
  ['powerpc', /^(powerpc|ppc)/],
  ['riscv64', /^riscv64$/],
  ['mips', /^mips/],
]

/**
 * @param architecture what the machine's `uname -m` says. Where it is not known, the first system listed is taken for the machine's own, as that is the one people think of first.
 */
export function isEmulated({ systems: [own = ''] }: Pick<BuildMachine, 'systems'>, system: string, architecture = processorOf(own)): boolean {
  return familyOf(architecture) !== familyOf(processorOf(system))
}

/** `x86_64-linux`: before the last dash. */
function processorOf(system: string): string {
  const dash = system.lastIndexOf('-')
  return dash === -1 ? system : system.slice(0, dash)
}

function familyOf(processor: string): string {
  return families.find(([, pattern]) => pattern.test(processor))?.[0] ?? processor
}
