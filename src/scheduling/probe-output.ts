import { ProtocolError } from '../errors/offload-error.js'
import type { Probe } from '../plugin-api/index.js'

/**
 * The probe: one POSIX shell script that prints each fact behind a marker, so that what a log-in shell prints besides does no harm. `$1` is
 * the store's folder. Written for dash, bash and busybox; PATH is completed because a server may hand a non-interactive session next to nothing.
 * Machines without `nproc` are asked in older ways; those without pressure information leave that section empty.
 */
export const probeScript = `
PATH=\${PATH:-/usr/bin:/bin}:/run/current-system/profile/bin:/usr/local/bin:/usr/bin:/bin
LC_ALL=C
export PATH LC_ALL
echo '%%load'
cat /proc/loadavg
echo '%%cores'
nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c '^processor' /proc/cpuinfo
echo '%%store'
df -Pk "$1"
echo '%%pressure'
cat /proc/pressure/cpu 2>/dev/null
echo '%%architecture'
uname -m
echo '%%end'
`

/** Everything the script printed is this long at most. */
export const maxProbeOutput = 64 * 1024

/**
 * Reads what {@link probeScript} printed.
 * @throws ProtocolError `probe-unreadable`, naming machine, section, what was expected and what was seen
 */
export function parseProbe(output: string, machine: string, at: number): Probe {
  const sections = new Map<string, string>()
  for (const part of output.split(/^%%/m).slice(1)) {
    const end = part.indexOf('\n')
    const name = end === -1 ? part : part.slice(0, end).trim()
    sections.set(name, end === -1 ? '' : part.slice(end + 1).trim())
  }
  const find = (section: string, pattern: RegExp, expected: string): number => {
    const text = sections.get(section)
    const value = text === undefined ? undefined : pattern.exec(text)?.[1]
    if (value !== undefined) return Number(value)
    throw new ProtocolError({
      code: 'probe-unreadable',
      step: 'checking load and disk',
      problem: text === undefined ? `the answer has no section "${section}"` : `section "${section}" is not as expected`,
      expected,
      seen: excerpt(text ?? output),
      machine,
    })
  }
  const load = find('load', /^(\d+(?:\.\d+)?)\s/, 'load averages as in /proc/loadavg')
  const cores = find('cores', /^([1-9]\d*)$/, 'the number of processors')
  // File system and mount point may hold blanks: the figures are found by the columns between them.
  const freeKiB = find('store', /\s\d+\s+\d+\s+(-?\d+)\s+(?:\d+%|-)\s+\//, "df's line about the store")
  const pressure = /^some avg10=(\d+(?:\.\d+)?)\s/m.exec(sections.get('pressure') ?? '')?.[1]
  const architecture = /^[\w.-]+$/.exec(sections.get('architecture') ?? '')?.[0]
  return {
    at,
    load,
    cores,
    normalizedLoad: Math.min(1, load / cores),
    // Negative where more than the reserve for root is gone.
    freeBytes: Math.max(0, freeKiB) * 1024,
    ...(pressure === undefined ? {} : { pressure: Math.min(1, Number(pressure) / 100) }),
    ...(architecture === undefined ? {} : { architecture }),
  }
}

/** One line, quoted, of at most 200 characters. */
export function excerpt(text: string): string {
  return text === '' ? 'nothing' : JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
}
