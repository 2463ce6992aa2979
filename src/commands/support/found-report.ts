/** Machines that offer themselves and are not used: what they say of themselves is a stranger's word, and is printed as such. */
import { hostKeyFingerprint } from '../../machines/host-key-fingerprint.js'
import { isSafeMachineName, machineId } from '../../machines/machine-id.js'
import type { FoundBySource } from '../../machines/gather-machines.js'
import { printable } from '../../wire/printable.js'
import type { Style } from './style.js'

export const standings: Readonly<Record<FoundBySource['standing'], string>> = {
  'not-trusted': 'found, not trusted', 'listed-already': 'found, listed already', 'unusable': 'found, not usable',
}

const plain = (text: string): string => (/[\p{C}\p{Zl}\p{Zp}]/u.test(text) ? printable(text) : text)

export function foundName(found: FoundBySource): string {
  return isSafeMachineName(found.name) ? plain(found.name) : printable(found.name)
}

/** What makes it trusted, once somebody has compared the fingerprint. */
export function trustCommand(found: FoundBySource): string | undefined {
  if (found.pin === undefined || found.standing !== 'not-trusted' || found.hostKey === undefined || hostKeyFingerprint(found.hostKey) === undefined) return undefined
  // Only what a shell takes for one plain word is offered for pasting.
  const id = found.port === 22 ? found.name : machineId(found)
  return /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(id) ? `guix-offload machines trust ${id}` : undefined
}

/** Whole seconds; undefined: it was written down, not heard. @param now milliseconds since the epoch */
export function secondsSince(heardAt: number | undefined, now: number): number | undefined {
  return heardAt === undefined ? undefined : Math.max(0, Math.round((now - heardAt) / 1000))
}

export function foundLines(found: readonly FoundBySource[], style: Style, now: number): string[] {
  return found.flatMap((each) => {
    const fingerprint = each.hostKey === undefined ? undefined : hostKeyFingerprint(each.hostKey)
    const command = trustCommand(each)
    return [
      style.strong(foundName(each)),
      `  ${standings[each.standing]}: ${plain(each.reason)}`,
      ...(fingerprint === undefined ? [] : [`  host key, as it says: ${fingerprint}`]),
      `  last heard: ${secondsSince(each.heardAt, now)} s ago${each.address === undefined ? '' : `, at ${plain(each.address)}`}`,
      ...(command === undefined ? [] : [`  to use it, compare that fingerprint and run: ${command}`]),
    ]
  })
}

/** For stderr, one line each: standard output is a list of machines in use. */
export function foundNotes(found: readonly FoundBySource[]): string[] {
  return found.filter(({ standing }) => standing === 'not-trusted').map((each) => {
    const command = trustCommand(each)
    return `${standings[each.standing]}: ${foundName(each)}:${each.port} (${plain(each.reason)})${command === undefined ? '' : `; ${command}`}`
  })
}

/** Times in seconds; null: not said. */
export function foundJson(each: FoundBySource, now: number): Record<string, unknown> {
  return {
    name: each.name,
    port: each.port,
    address: each.address ?? null,
    standing: each.standing,
    reason: each.reason,
    hostKey: each.hostKey ?? null,
    fingerprint: each.hostKey === undefined ? null : (hostKeyFingerprint(each.hostKey) ?? null),
    heardSecondsAgo: secondsSince(each.heardAt, now) ?? null,
    trust: trustCommand(each) ?? null,
    source: each.source,
  }
}
